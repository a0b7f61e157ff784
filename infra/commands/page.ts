/** `npm run build:page`: the demo page, built into the module that the Worker imports. */
import { patterns } from "../../worker/patterns.ts";
import { buildPage } from "../release/page.ts";
import { orFail } from "./command.ts";

await orFail(() => buildPage(patterns));
