/** The frame of the demo page: shows the release that serves it. The panels come from the patterns. */
import { find } from "./dom.ts";
import { secondWindow } from "./names.ts";
import { nameplate } from "./release.ts";

secondWindow(find(document, "#second", HTMLAnchorElement));
void nameplate();
