import { RE2JS } from 're2js';

const longestPattern = 500;

/** `a{1000}` is a program of a thousand steps, each of which may be tried at each character. */
const mostSteps = 1000;
const mostStepsOfAll = 10_000;

/** What a pattern may be matched against: with the longest program that takes a good part of a second. */
const longestText = 10_000;

/** A pattern of a JSON Schema, ready for use. */
export interface Pattern {
  /** Of its program. */
  readonly steps: number;
  test(text: string): boolean;
  toString(): string;
}

/** Thrown where a text is not checked: what is wrong with it is the message. */
export class Unchecked extends Error {}

/**
 * Patterns are a stranger's: they run in time that grows no faster than the text, which JavaScript's own don't.
 *
 * @see https://github.com/google/re2/wiki/Syntax
 */
export class Patterns {
  readonly #known = new Map<string, Pattern>();
  #steps = 0;

  /** @throws Error that says what is wrong with the pattern */
  compile(pattern: string): Pattern {
    const known = this.#known.get(pattern);
    if (known) return known;
    const compiled = compile(pattern);
    this.#known.set(pattern, compiled);
    this.#steps += compiled.steps;
    if (this.#steps <= mostStepsOfAll) return compiled;
    throw new Error('the patterns are too large together: write fewer, or with smaller counts');
  }
}

function compile(pattern: string): Pattern {
  const shown = pattern.length > 60 ? `${pattern.slice(0, 60)}…` : pattern;
  if (pattern.length > longestPattern) {
    throw new Error(`the pattern ${shown} has more than ${longestPattern} characters`);
  }
  const tooLarge = new Error(
    `the pattern ${shown} repeats more than can be tried: write * or + instead of counts, or minLength and maxLength`,
  );
  // To compile those would take long already.
  if (countsOf(pattern) > mostSteps) throw tooLarge;
  const expression = RE2JS.compile(RE2JS.translateRegExp(pattern));
  const steps = expression.programSize();
  if (steps > mostSteps) throw tooLarge;
  return {
    steps,
    test(text) {
      if (text.length <= longestText) return expression.test(text);
      throw new Unchecked(
        `the text that begins with ${JSON.stringify(text.slice(0, 40))} has ${text.length} characters: patterns are matched against ${longestText} at most`,
      );
    },
    // Ajv takes two for the same that are the same as text.
    toString: () => pattern,
  };
}

/** The sum of all `{n,m}`. Of those within each other RE2 itself refuses more than a thousand. */
function countsOf(pattern: string): number {
  let sum = 0;
  for (const [, least, most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    sum += Math.max(Number(least), Number(most ?? 0));
  }
  return sum;
}
