// What the peers have in common: Argon2 with the gateway's parameters, kept connections to the mail server, and one
// process or several on one port.
import { hash, verify } from "@node-rs/argon2";
import cluster from "node:cluster";
import { createTransport } from "nodemailer";

const { MAIL_URL, MEMORY_KIB, PASSES, PROCESSES } = process.env;
const costs = { memoryCost: Number(MEMORY_KIB), timeCost: Number(PASSES), parallelism: 1 }; // Argon2id is the default

export const passwords = {
  hash: (password) => hash(password, costs),
  verify: (hashed, password) => verify(hashed, password),
};

// As many connections as the gateway keeps, and as many mails on each as there are.
const mails =
  MAIL_URL && createTransport({ url: MAIL_URL, pool: true, maxConnections: 8, maxMessages: Infinity, ignoreTLS: true });

export const sendLink = (to, url) =>
  mails.sendMail({ from: "shop@localhost", to, subject: "Confirm your address", text: `Please confirm: ${url}` });

// Calls `start` in every process, in the first one with true: it makes the tables before the others start.
export function serve(start) {
  const ready = () => console.log("ready");
  if (PROCESSES === "1") return start(true).then(ready);
  if (cluster.isWorker) return start(process.env.IS_FIRST === "yes");
  const fork = (number) => {
    if (number > PROCESSES) return ready();
    cluster.fork({ IS_FIRST: number === 1 ? "yes" : "no" }).once("listening", () => fork(number + 1));
  };
  cluster.on("exit", () => process.exit(1));
  fork(1);
}
