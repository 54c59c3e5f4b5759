import type { CodegenConfig } from "@graphql-codegen/cli";

/** Types of exactly what our operations select: a union gets one member for each member that the schema has. */
const config: CodegenConfig = {
  schema: process.env.SCHEMA ?? "../../schema.graphql",
  documents: "src/operations.graphql",
  silent: true,
  generates: {
    "src/generated/operations.ts": {
      plugins: ["typescript-operations", "typed-document-node"],
      config: { useTypeImports: true, enumsAsTypes: true, scalars: { Date: "string", DateTime: "string", ID: "string" } },
    },
  },
};

export default config;
