/** Vectors of length 1, as bytes and compared. @module */

/** A vector of length 1, so that a product of two is their cosine. */
export function unit(values: ArrayLike<number>): Float32Array {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0;
  return Float32Array.from(values, (value) => value * scale);
}

/** The bytes of a vector, little-endian as every platform of this program is. */
export function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** Adds a vector's bytes at `index` of a matrix of vectors that are `size` long. */
export function setRow(matrix: Float32Array, index: number, size: number, bytes: Uint8Array): void {
  const copy = bytes.slice();
  matrix.set(new Float32Array(copy.buffer, 0, Math.min(size, copy.byteLength >> 2)), index * size);
}

/** The cosines of a unit vector and each row of a matrix. */
export function cosines(matrix: Float32Array, vector: Float32Array): Float32Array {
  const size = vector.length;
  const out = new Float32Array(matrix.length / size);
  for (let row = 0; row < out.length; row++) {
    out[row] = product(matrix, row * size, vector);
  }
  return out;
}

/** Four sums side by side: one after the other, each addition would wait for the one before. */
function product(matrix: Float32Array, start: number, vector: Float32Array): number {
  const size = vector.length;
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < size; i += 4) {
    a += matrix[start + i]! * vector[i]!;
    b += matrix[start + i + 1]! * vector[i + 1]!;
    c += matrix[start + i + 2]! * vector[i + 2]!;
    d += matrix[start + i + 3]! * vector[i + 3]!;
  }
  for (; i < size; i++) a += matrix[start + i]! * vector[i]!;
  return a + b + c + d;
}
