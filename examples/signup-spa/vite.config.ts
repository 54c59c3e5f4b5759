import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // No inlined files: the policy of the page (see ../demo.py) allows files of its own origin only.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
