import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The page is served by `dentasam label` from inside the package; in development, Vite passes the API on to it.
const SERVER = "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/dentasam/labelling/page",
    emptyOutDir: true,
    // The content security policy forbids inline scripts and data URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // The server refuses writes from another origin than its own.
  server: { proxy: { "/api": { target: SERVER, changeOrigin: true, headers: { origin: SERVER } } } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
