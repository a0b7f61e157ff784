/** The demo page: five panels, each on one object, and the nameplate of the release that serves them. */
import { chatPanel } from "./chat.ts";
import { counterPanel } from "./counter.ts";
import { find } from "./dom.ts";
import { ledgerPanel } from "./ledger.ts";
import { limiterPanel } from "./limiter.ts";
import { secondWindow } from "./names.ts";
import { nameplate } from "./release.ts";
import { sessionPanel } from "./session.ts";

secondWindow(find(document, "#second", HTMLAnchorElement));
void nameplate();
counterPanel();
const rejoin = chatPanel();
const ledger = ledgerPanel();
sessionPanel(rejoin, ledger.adminToken);
limiterPanel();
