import fc from 'fast-check';
import type { TestFile } from './archives.ts';

const name = fc
  .string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
  .filter((text) => text !== '.' && text !== '..' && !/[/\\\0]/.test(text) && text.isWellFormed());

const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 510, maxLength: 1030 }),
  fc.integer({ min: 0, max: 70_000 }).map((bytes) => new Uint8Array(bytes).fill(0x61)),
);

/** Files of a repository: at different paths, some of them long, with contents of all lengths around a block's. */
export const treesOfFiles: fc.Arbitrary<TestFile[]> = fc.uniqueArray(
  fc
    .tuple(fc.array(name, { minLength: 1, maxLength: 4 }), content)
    .map(([parts, bytes]): TestFile => ({ path: parts.join('/'), content: Buffer.from(bytes) })),
  { selector: ({ path }) => path, maxLength: 12 },
);
