import { Hono } from "hono";
import type { App } from "../app.ts";

export const chat = new Hono<App>();
