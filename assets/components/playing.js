// A scene that goes on by itself, one state after another, until its last or until it is told to stop.
// While it plays it counts as held: no answer to an earlier state moves it.

export class Player {
  constructor(stage) {
    Object.assign(this, { stage, timer: 0 });
  }

  get on() {
    return this.timer !== 0;
  }

  toggle() {
    if (this.on) this.stop();
    else this.go();
  }

  go() {
    const { stage } = this;
    const { scene } = stage;
    stage.handles.busy = true;
    stage.set(scene.next(stage.state, stage.context()) ?? scene.first(stage.state, stage.context()));
    this.wait();
    stage.invalidate();
  }

  // Each state is there for its time, on a machine that is late with it too.
  wait() {
    this.timer = setTimeout(() => this.advance(), this.stage.scene.PLAY_MS);
  }

  advance() {
    const { stage } = this;
    // Whoever lets go of a handle has taken over.
    const next = stage.handles.busy ? stage.scene.next(stage.state, stage.context()) : null;
    if (!next) return this.stop();
    stage.set(next);
    this.wait();
  }

  stop() {
    this.end();
    this.stage.handles.busy = false;
    this.stage.release();
  }

  end() {
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
