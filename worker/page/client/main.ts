/** The shell of the demo page: the nameplate of the release that serves it. The panels come from the patterns. */
import { find } from "./dom.ts";
import { secondWindow } from "./names.ts";
import { nameplate } from "./release.ts";

secondWindow(find(document, "#second", HTMLAnchorElement));
void nameplate();
