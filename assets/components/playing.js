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
    this.timer = setInterval(() => {
      // Whoever lets go of a handle has taken over.
      const next = stage.handles.busy ? scene.next(stage.state, stage.context()) : null;
      if (next) stage.set(next);
      else this.stop();
    }, scene.PLAY_MS);
    stage.invalidate();
  }

  stop() {
    this.end();
    this.stage.handles.busy = false;
    this.stage.release();
  }

  end() {
    clearInterval(this.timer);
    this.timer = 0;
  }
}
