// Strokes of a pointer, or keys, on a board: a scene's canvas, or the pad that it lays over a part of
// it. A scene that takes no strokes now answers null, and the page may scroll.

export class Easel {
  constructor(board, stage) {
    this.board = board;
    board.addEventListener("pointerdown", (event) => this.begin(event, stage));
    board.addEventListener("keydown", (event) => key(event, stage));
    board.addEventListener("blur", () => stage.handles.settle());
  }

  begin(event, stage) {
    const { board } = this;
    const { scene } = stage;
    const at = ({ offsetX, offsetY }) => ({ x: offsetX + board.offsetLeft, y: offsetY + board.offsetTop });
    let last = at(event);
    const begun = scene.paint(last, last, stage.context());
    if (!begun || event.button !== 0) return;
    event.preventDefault();
    board.focus({ preventScroll: true });
    board.setPointerCapture(event.pointerId);
    stage.handles.busy = true;
    stage.set(begun);
    const move = (moved) => {
      const next = at(moved);
      stage.set(scene.paint(last, next, stage.context()));
      last = next;
    };
    const end = () => {
      board.removeEventListener("pointermove", move);
      board.removeEventListener("pointerup", end);
      board.removeEventListener("pointercancel", end);
      stage.handles.busy = false;
      stage.release();
    };
    board.addEventListener("pointermove", move);
    board.addEventListener("pointerup", end);
    board.addEventListener("pointercancel", end);
  }

  ready(paints, pad) {
    const { board } = this;
    if (pad) {
      for (const side of ["left", "top", "width", "height"]) board.style[side] = `${pad[side]}px`;
      board.setAttribute("role", "application");
      board.setAttribute("aria-label", pad.label);
    }
    board.style.touchAction = paints ? "none" : "";
    board.style.cursor = paints ? "crosshair" : "";
    if (paints) board.tabIndex = 0;
    else board.removeAttribute("tabindex");
  }
}

function key(event, stage) {
  const painted = stage.scene.paintKey(event.key, stage.context());
  if (!painted) return;
  event.preventDefault();
  stage.set(painted);
  stage.voice.textContent = stage.scene.paintSays?.(stage.context()) ?? "";
  stage.handles.later();
  stage.invalidate();
}
