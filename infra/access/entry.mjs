/** What `npm run access` makes a bundle of: the Worker, and the reader of its guards in the same copy of may.ts. */
export { guardedRoutes } from "../../worker/http/may.ts";
export { default } from "../../worker/index.ts";
