import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recipeOf } from '../../../../functions/ingest-object/media/recipe.ts';
import { stalePreviews } from '../../../../functions/ingest-object/media/store.ts';
import { bucket, mediaRoute, target } from './world.ts';

const folder = 'previews/photos/alice/abc/';
const recipes = ['0123456789abcdef', 'fedcba9876543210'] as const;
const nameOf = (generation: string, recipe: string, file: string) =>
  `${folder}${generation}-${recipe}/${file}`;

const now = new Date('2026-03-29T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000);

describe('previews that are nobody’s', () => {
  const generation = fc.constantFrom('9', '10', '1795311059944000', '9223372036854775807');
  const file = fc.constantFrom('400.webp', 'thumbnail.jpg');
  const recipe = fc.constantFrom(...recipes);
  const name = fc.tuple(generation, recipe, file).map((parts) => nameOf(...parts));
  const listed = fc.uniqueArray(
    fc.record({ name, createdAt: fc.constantFrom(minutesAgo(0), minutesAgo(11), minutesAgo(61)) }),
    { selector: (one) => one.name },
  );
  const kept = fc.option(
    fc.uniqueArray(name).map((names) => ({ previews: names.map((object) => ({ object })) })),
    { nil: undefined },
  );
  const given = fc.record({ listed, live: fc.option(generation, { nil: undefined }), kept });

  it('are never those that a row names', () => {
    fc.assert(
      fc.property(given, ({ listed: there, ...more }) => {
        const stale = stalePreviews(there, { folder, now, ...more });
        expect(stale.filter((one) => more.kept?.previews.some(({ object }) => object === one.name))).toEqual(
          [],
        );
      }),
    );
  });

  it('are never those of the live generation that somebody may be about to name', () => {
    fc.assert(
      fc.property(given, ({ listed: there, ...more }) => {
        const stale = stalePreviews(there, { folder, now, ...more });
        const young = stale.filter(({ createdAt }) => createdAt > minutesAgo(60));
        expect(young.filter((one) => one.name.startsWith(`${folder}${more.live}-`))).toEqual([]);
      }),
    );
  });

  it('are all others', () => {
    fc.assert(
      fc.property(given, ({ listed: there, ...more }) => {
        const stale = stalePreviews(there, { folder, now, ...more });
        for (const one of there.filter((preview) => !stale.includes(preview))) {
          const isNamed = more.kept?.previews.some(({ object }) => object === one.name);
          const isYoung = one.createdAt > minutesAgo(60);
          expect(isNamed || (isYoung && one.name.startsWith(`${folder}${more.live}-`))).toBe(true);
        }
      }),
    );
  });

  it('are not what somebody else put there', () => {
    const ours = nameOf('9', recipes[0], 'a.png');
    const there = [`${folder}readme.txt`, `${folder}x/1.png`, `${folder}9/a.png`, ours].map((one) => ({
      name: one,
      createdAt: minutesAgo(100),
    }));

    const stale = stalePreviews(there, { folder, now, live: undefined, kept: undefined });

    expect(stale.map((one) => one.name)).toEqual([ours]);
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
