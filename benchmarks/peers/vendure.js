// A minimal Vendure: the shop API with registerCustomerAccount, without verification, mails, plugins and jobs.
import { bootstrap, DefaultLogger, LogLevel } from "@vendure/core";
import { randomUUID } from "node:crypto";
import { passwords, serve } from "./serve.js";

const { DATABASE, PORT } = process.env;

serve((isFirst) =>
  bootstrap({
    apiOptions: { hostname: "127.0.0.1", port: Number(PORT) },
    authOptions: {
      requireVerification: false,
      superadminCredentials: { identifier: "nobody", password: randomUUID() },
      passwordHashingStrategy: {
        hash: passwords.hash,
        check: (password, hashed) => passwords.verify(hashed, password),
      },
    },
    dbConnectionOptions: { type: "postgres", url: DATABASE, synchronize: isFirst },
    paymentOptions: { paymentMethodHandlers: [] },
    logger: new DefaultLogger({ level: LogLevel.Error }),
  }),
);
