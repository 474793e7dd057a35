// Reads what iwae_core/runtime/wire.py packs: a JSON header, then raw arrays. Takes an ArrayBuffer, or
// a Uint8Array that may lie anywhere in a larger buffer.

const TYPES = { f4: Float32Array, f8: Float64Array, u1: Uint8Array };

export function unpack(message) {
  const buffer = message instanceof ArrayBuffer ? message : message.slice().buffer;
  const headerLength = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headerLength)));
  const arrays = {};
  for (const [name, { type, shape, offset }] of Object.entries(header.arrays)) {
    const count = shape.reduce((product, side) => product * side, 1);
    arrays[name] = { shape, values: new TYPES[type](buffer, 4 + headerLength + offset, count) };
  }
  return { meta: header.meta, arrays };
}
