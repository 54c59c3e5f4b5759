// Builds dist/ from the published contract, schema.graphql of the repository.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { codegen } from "@graphql-codegen/core";
import * as typedDocuments from "@graphql-codegen/typed-document-node";
import * as operationTypes from "@graphql-codegen/typescript-operations";
import { buildSchema, introspectionFromSchema, isAbstractType, parse, print } from "graphql";
import { operations } from "./operations.mjs";

process.chdir(import.meta.dirname);
const sdl = readFileSync("../../schema.graphql", "utf8");
const schema = buildSchema(sdl);
const documents = print(parse(operations(schema)));

// Strict: a scalar without a type, or a document that does not fit the schema, fails the build.
const generated = await codegen({
  filename: "generated.ts",
  schema: parse(sdl),
  documents: [{ location: "operations.graphql", document: parse(documents) }],
  config: {
    strictScalars: true,
    scalars: { Date: "string", DateTime: "string", ID: "string" },
    enumType: "const",
    enumsAsConst: true,
    namingConvention: { enumValues: "keep", typeNames: "keep" },
    useTypeImports: true,
    skipTypename: true,
    immutableTypes: true,
  },
  plugins: [{ operationTypes: {} }, { typedDocuments: {} }],
  pluginMap: { operationTypes, typedDocuments },
});

const abstract = Object.values(schema.getTypeMap()).filter((type) => isAbstractType(type) && !type.name.startsWith("__"));
const possibleTypes = Object.fromEntries(
  abstract.map((type) => [type.name, schema.getPossibleTypes(type).map((member) => member.name)]),
);

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
writeFileSync("src/generated.ts", `/* Made by build.mjs. */\n${generated}`);
writeFileSync(
  "src/possibleTypes.ts",
  `/* Made by build.mjs: for Apollo's InMemoryCache. */\nexport const possibleTypes: Record<string, string[]> = ${JSON.stringify(possibleTypes, null, 2)};\n`,
);
writeFileSync("dist/schema.graphql", sdl);
writeFileSync("dist/operations.graphql", `${documents}\n`);
writeFileSync("dist/introspection.json", JSON.stringify(introspectionFromSchema(schema)));
const tsc = createRequire(import.meta.url).resolve("typescript/package.json").replace("package.json", "bin/tsc");
execFileSync(process.execPath, [tsc], { stdio: "inherit" });
