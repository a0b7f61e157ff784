/** The demo page: five panels, each on one object, and the nameplate of the release that serves them. */
import { chatPanel } from "../../chat/panel/panel.ts";
import { counterPanel } from "../../counter/panel/panel.ts";
import { ledgerPanel } from "../../ledger/panel/panel.ts";
import { limiterPanel } from "../../rate-limit/panel/panel.ts";
import { sessionPanel } from "../../session/panel/panel.ts";
import { find } from "./dom.ts";
import { secondWindow } from "./names.ts";
import { nameplate } from "./release.ts";

secondWindow(find(document, "#second", HTMLAnchorElement));
void nameplate();
counterPanel();
const rejoin = chatPanel();
const ledger = ledgerPanel();
sessionPanel(rejoin, ledger.adminToken);
limiterPanel();
