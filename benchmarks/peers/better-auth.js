// A minimal better-auth: sign-up and sign-in with address and password, and nothing else that would cost it time.
import { NodeSqliteDialect } from "@better-auth/kysely-adapter/node-sqlite-dialect";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import { passwords, sendLink, serve } from "./serve.js";

const { DATABASE, MAIL_URL, PORT, TRANSACTIONS } = process.env;

function openDatabase() {
  if (DATABASE.startsWith("postgresql:")) return new pg.Pool({ connectionString: DATABASE });
  const database = new DatabaseSync(DATABASE);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"); // as the gateway has it
  return { dialect: new NodeSqliteDialect({ database }), type: "sqlite", transaction: TRANSACTIONS !== "off" };
}

serve(async (isFirst) => {
  const options = {
    baseURL: `http://127.0.0.1:${PORT}`,
    secret: "what signs the sessions of a benchmark",
    database: openDatabase(),
    emailAndPassword: {
      enabled: true,
      autoSignIn: false,
      requireEmailVerification: Boolean(MAIL_URL),
      password: { hash: passwords.hash, verify: ({ hash, password }) => passwords.verify(hash, password) },
    },
    emailVerification: {
      sendOnSignUp: Boolean(MAIL_URL),
      // Not awaited, as its documentation advises: the answer waits for no mail.
      sendVerificationEmail: async ({ user, url }) => void sendLink(user.email, url),
    },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: "error" },
  };
  if (isFirst) await (await getMigrations(options)).runMigrations();
  const server = createServer(toNodeHandler(betterAuth(options)));
  await new Promise((listening) => server.listen(PORT, "127.0.0.1", listening));
});
