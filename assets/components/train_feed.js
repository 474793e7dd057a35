// What the browser knows of a run. News comes from /live/<run id> in a loop that asks again only when
// the last answer is taken in, so a slow server or browser slows the picture and never piles up. The
// server answers when there is news, or after a second.

import { Film, glancesOf } from "./train_film.js";
import { Series } from "./train_series.js";
import { unpack } from "./wire.js";

const PLAYING_MS = 50;
const IDLE_MS = 350;
const HIDDEN_MS = 2000;
const MOST_BOUNDS = 4096;

export class Feed {
  // heard() is called after each answer, gone() when the server has forgotten the run.
  constructor({ heard, gone, jumps }) {
    Object.assign(this, { heard, gone, jumps });
    this.film = new Film();
    this.forget();
  }

  forget() {
    this.generation = 0;
    this.steps = new Series(); // [step, objective, ESS, K]
    this.heldOut = []; // [step, L_1, L_K, L_64]
    this.deep = []; // [step, L_512]
    this.pictures = null;
    this.probe = null;
    this.meta = null;
    this.film.clear();
  }

  watch(runId) {
    this.forget();
    this.runId = runId;
    this.loop((this.ticket = {}));
  }

  stop() {
    this.ticket = null;
  }

  hurry() {
    this.wake?.();
  }

  // The last step of each kind that has arrived; a run that is still to begin says "step 0" before.
  known() {
    const [held, deep] = [this.heldOut, this.deep].map((rows) => rows.at(-1)?.[0] ?? -1);
    const known = { generation: this.generation, steps: this.steps.latest, seen: this.film.end, held, deep };
    // A hidden page asks seldom instead: the browser has few connections to one server.
    return this.meta && !document.hidden ? { ...known, news: this.meta.news } : known;
  }

  address(query) {
    return new URL(`live/${this.runId}?${new URLSearchParams(query)}`, document.baseURI);
  }

  async loop(ticket) {
    while (this.ticket === ticket) {
      let pause = IDLE_MS;
      try {
        const answer = await fetch(this.address(this.known()), { cache: "no-store" });
        if (this.ticket !== ticket) return;
        if (answer.status === 204) return this.gone();
        if (answer.status === 200) {
          this.take(unpack(await answer.arrayBuffer()), performance.now());
          if (this.meta.mode === "playing" || this.film.end < this.meta.step) pause = PLAYING_MS;
          this.heard();
        }
      } catch (fault) {
        if (!(fault instanceof TypeError)) throw fault;
        pause = HIDDEN_MS; // the server is away: ask again later
      }
      if (document.hidden) pause = HIDDEN_MS;
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, pause);
      });
    }
  }

  take({ meta, arrays }, now) {
    if (meta.generation !== this.generation) this.forget();
    this.generation = meta.generation;
    this.meta = meta;
    for (const row of rows(arrays.steps)) this.steps.push(row);
    this.heldOut.push(...rows(arrays.held_out));
    if (this.heldOut.length > MOST_BOUNDS) this.heldOut = this.heldOut.filter((_, i) => i % 2);
    this.deep.push(...rows(arrays.deep));
    if (arrays.labels) {
      this.probe = {
        labels: Array.from(arrays.labels.values),
        originals: arrays.originals.values,
        classNames: meta.class_names,
        shape: meta.image_shape,
      };
    }
    this.film.add(glancesOf(arrays), now, this.jumps());
    this.pictures = picturesOf(meta, arrays) ?? this.pictures;
  }

  // An earlier moment; null where the server has nothing of it.
  async moment(step) {
    const answer = await fetch(this.address({ at: step }), { cache: "no-store" });
    if (answer.status !== 200) return null;
    const { meta, arrays } = unpack(await answer.arrayBuffer());
    const [glance] = glancesOf(arrays);
    return glance ? { glance, pictures: picturesOf(meta, arrays) } : null;
  }
}

function rows({ shape: [count, columns], values }) {
  return Array.from({ length: count }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
}

function picturesOf(meta, arrays) {
  if (!arrays.samples) return null;
  const part = (name) => (arrays[name] ? arrays[name].values : null);
  return {
    step: meta.pictures_step,
    reconstructions: part("reconstructions"),
    samples: part("samples"),
    manifold: part("manifold"),
  };
}
