// Reads what iwae_core/runtime/wire.py packs: a JSON header, then raw float32 arrays.

export function unpack(buffer) {
  const headerLength = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, headerLength)));
  const arrays = {};
  for (const [name, { shape, offset }] of Object.entries(header.arrays)) {
    const count = shape.reduce((product, side) => product * side, 1);
    arrays[name] = { shape, values: new Float32Array(buffer, 4 + headerLength + offset, count) };
  }
  return { meta: header.meta, arrays };
}
