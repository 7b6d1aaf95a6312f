import { type Kv, openDenoKv } from "../../store/mod.ts";
import { NO_FAULTS, SimDatabase, SimKv } from "../_sim/kv.ts";
import { SimProcess, SimWorld } from "../_sim/world.ts";
import { conformance } from "./_conformance.ts";

conformance("Deno KV in memory", () => openDenoKv(":memory:"));

const paths = new WeakMap<Kv, string>();

conformance("Deno KV in a file", async () => {
  const directory = await Deno.makeTempDir();
  const kv = await openDenoKv(`${directory}/store.kv`);
  paths.set(kv, `${directory}/store.kv`);
  const close = kv.close.bind(kv);
  kv.close = async () => {
    await close();
    await Deno.remove(directory, { recursive: true });
  };
  return kv;
}, (kv) => openDenoKv(paths.get(kv)));

const connections = new WeakMap<Kv, () => Kv>();

// The simulation is only worth something if its store behaves like the real one.
conformance("the simulated store", () => {
  const world = new SimWorld(1);
  const db = new SimDatabase();
  const connect = () => new SimKv(db, new SimProcess("w"), world, () => NO_FAULTS);
  const kv = connect();
  connections.set(kv, connect);
  let open = true;
  const turns = (async () => {
    while (open) {
      await world.run(1, () => false);
      await new Promise((next) => setTimeout(next));
    }
  })();
  kv.close = () => {
    open = false;
    return turns;
  };
  return Promise.resolve(kv);
}, (kv) => Promise.resolve(connections.get(kv)!()));
