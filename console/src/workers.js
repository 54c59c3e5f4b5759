// Tells Monaco where its three workers are: beside this bundle, so that `worker-src 'self'` is enough.
const files = { json: "json.worker.js", graphql: "graphql.worker.js" };

globalThis.MonacoEnvironment = {
  ...globalThis.MonacoEnvironment,
  getWorker: (_id, label) =>
    new Worker(new URL(files[label] ?? "editor.worker.js", import.meta.url), { type: "module", name: label }),
};
