import { defineConfig } from "vite";

// One style sheet and small scripts, found by templates through the manifest. Nothing is fetched from elsewhere.
export default defineConfig({
  base: "/static/",
  publicDir: false,
  build: {
    outDir: "../src/shudu/site/built",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    target: ["chrome105", "firefox115", "safari16"],
    rolldownOptions: { checks: { eval: false }, input: ["src/shudu.css", "src/main.ts", "src/verify.ts", "src/try.ts"] },
  },
});
