import { Hono } from "hono";
import type { App } from "../app.ts";

export const limit = new Hono<App>();
