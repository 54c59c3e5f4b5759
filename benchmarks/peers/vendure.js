// A minimal Vendure: the shop API with registerCustomerAccount and login, without plugins and jobs.
import { AccountRegistrationEvent, bootstrap, DefaultLogger, EventBus, LogLevel } from "@vendure/core";
import { randomUUID } from "node:crypto";
import { passwords, sendLink, serve } from "./serve.js";

const { DATABASE, MAIL_URL, PORT } = process.env;

serve(async (isFirst) => {
  const shop = await bootstrap({
    apiOptions: { hostname: "127.0.0.1", port: Number(PORT) },
    authOptions: {
      requireVerification: Boolean(MAIL_URL),
      superadminCredentials: { identifier: "nobody", password: randomUUID() },
      passwordHashingStrategy: {
        hash: passwords.hash,
        check: (password, hashed) => passwords.verify(hashed, password),
      },
    },
    dbConnectionOptions: { type: "postgres", url: DATABASE, synchronize: isFirst },
    paymentOptions: { paymentMethodHandlers: [] },
    logger: new DefaultLogger({ level: LogLevel.Error }),
  });
  if (!MAIL_URL) return;
  // Its own mail plug-in renders a template and queues a job besides.
  shop.get(EventBus).ofType(AccountRegistrationEvent).subscribe(({ user }) => {
    const { verificationToken } = user.getNativeAuthenticationMethod();
    sendLink(user.identifier, `http://127.0.0.1:${PORT}/verify?token=${verificationToken}`);
  });
});
