# The workerd that starts uploads (prober.ts).
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    ( name = "prober",
      worker = (
        compatibilityDate = "2026-11-01",
        modules = [ (name = "prober.js", esModule = embed "prober.js") ],
        bindings = [
          (name = "LOADER", workerLoader = ()),
          (name = "SECRET", fromEnvironment = "ACCOUNT_SECRET"),
        ],
      ),
    ),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "prober") ],
);
