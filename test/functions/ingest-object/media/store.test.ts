import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recipeOf } from '../../../../functions/ingest-object/media/recipe.ts';
import { stalePreviews } from '../../../../functions/ingest-object/media/store.ts';
import { bucket, mediaRoute, target } from './world.ts';

const folder = 'previews/photos/alice/abc/';
const nameOf = (generation: string, file: string) => `${folder}${generation}/${file}`;

describe('previews that are nobody’s', () => {
  const generation = fc.constantFrom('9', '10', '1795311059944000', '9223372036854775807');
  const file = fc.constantFrom('400.webp', '400.png', 'thumbnail.jpg');
  const names = fc.uniqueArray(fc.tuple(generation, file).map((parts) => nameOf(...parts)));
  const kept = fc.option(
    fc.record({ generation, files: fc.uniqueArray(file) }).map(({ generation: of, files }) => ({
      generation: of,
      previews: files.map((one) => ({ object: nameOf(of, one) })),
    })),
    { nil: undefined },
  );
  const given = fc.record({ names, own: generation, live: fc.option(generation, { nil: undefined }), kept });

  it('are never those that a row names', () => {
    fc.assert(
      fc.property(given, ({ names: there, ...more }) => {
        const stale = stalePreviews(there, { folder, ...more });
        expect(stale.filter((name) => more.kept?.previews.some(({ object }) => object === name))).toEqual([]);
      }),
    );
  });

  it('are never those of another generation that is live', () => {
    fc.assert(
      fc.property(given, ({ names: there, ...more }) => {
        const stale = stalePreviews(there, { folder, ...more });
        if (more.live !== more.own)
          expect(stale.filter((name) => name.startsWith(`${folder}${more.live}/`))).toEqual([]);
      }),
    );
  });

  it('are all others', () => {
    fc.assert(
      fc.property(given, ({ names: there, ...more }) => {
        const stays = there.filter((name) => !stalePreviews(there, { folder, ...more }).includes(name));
        for (const name of stays) {
          const isNamed = more.kept?.previews.some(({ object }) => object === name);
          expect(isNamed || name.startsWith(`${folder}${more.live}/`)).toBe(true);
        }
      }),
    );
  });

  it('are not what somebody else put there', () => {
    const there = [`${folder}readme.txt`, `${folder}x/1.png`, nameOf('9', 'a.png')];

    const stale = stalePreviews(there, { folder, own: '9', live: undefined, kept: undefined });

    expect(stale).toEqual([nameOf('9', 'a.png')]);
  });
});

describe('a recipe', () => {
  const route = { bucket, objects: 'photos/{user}/**', target, schema: 'media' };
  const recipe = recipeOf(mediaRoute(route));

  it.each([
    ['its previews', { previews: [] }],
    ['the quality of one', { previews: [{ name: 'thumbnail', width: 16, formats: ['jpeg'], quality: 1 }] }],
    ['the place', { gps: true }],
    ['how long previews are kept', { cacheControl: 'no-store' }],
  ])('is another with another of %s', (_, more) => {
    expect(recipeOf(mediaRoute({ ...route, ...more }))).not.toBe(recipe);
  });

  it.each([
    ['what objects it is of', { objects: 'images/{user}/**' }],
    ['how large they may be', { bytes: 7, pixels: 7 }],
    ['where the table is', { table: 'images' }],
  ])('is the same whatever %s', (_, more) => {
    expect(recipeOf(mediaRoute({ ...route, ...more }))).toBe(recipe);
  });
});
