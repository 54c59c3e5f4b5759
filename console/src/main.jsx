// The GraphiQL page of the gateway: mounts GraphiQL on POST /graphql with a ready example; fetches nothing from elsewhere.
import "./strict_styles.js";
import "./workers.js";

import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

import "@fontsource/fira-code/latin-400.css";
import "@fontsource/roboto/latin-400.css";
import "@fontsource/roboto/latin-500.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "@graphiql/react/style.css";
import "graphiql/graphiql.css";
import "./page.css";

import { query, variables } from "./example.js";

async function send(operation, { headers } = {}) {
  const response = await fetch("graphql", { // relative to the page, which a proxy may serve under a prefix
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json;q=0.9",
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

// sessionStorage: a password typed into the variables must not outlive the browser tab. The example is put there, because
// GraphiQL reads the variables of its first tab from nowhere else.
if (!sessionStorage.getItem("graphiql:tabState")) {
  sessionStorage.setItem("graphiql:query", query);
  sessionStorage.setItem("graphiql:variables", variables);
}

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL fetcher={send} defaultEditorToolsVisibility="variables" storage={sessionStorage} />,
);
