import { createHash } from 'node:crypto';
import type { Content, Format, Reading } from './document.ts';
import { faultOf, Unreadable } from './fault.ts';
import { splitFrontMatter } from './front-matter.ts';
import { firstHeading } from './heading.ts';
import { parseJson } from './json.ts';
import { decode, lenientText } from './text.ts';
import { titleOf } from './title.ts';
import { parseYaml } from './yaml.ts';
import type { Value } from './yaml-scalar.ts';

/** The name that git gives to a file's content: `git hash-object`, in a repository of SHA-1. */
export function blobHash(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

/**
 * What a file says. Whatever its bytes are, it never throws, and what it returns is fit for PostgreSQL: one value that
 * isn't would end a COPY of thousands.
 *
 * @param title the field of the metadata that is the title: its keys from the outside in, separated by dots
 */
export function readDocument(format: Format, content: Buffer, title = 'title'): Reading {
  const place = { start: 0 };
  try {
    return { content: readers[format](decode(content), title, place) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { fault: faultOf(error, lenientText(content), place.start) };
  }
}

/** Where in the file the text begins that is being read: a fault's place counts from there. */
interface Place {
  start: number;
}

type Reader = (text: string, title: string, place: Place) => Content;

const readers: Readonly<Record<Format, Reader>> = {
  markdown(text, field, place) {
    const { front, body } = splitFrontMatter(text);
    place.start = front?.start ?? 0;
    const { value: metadata, json } = front === undefined ? noMetadata() : frontMatter(front.text);
    return {
      title: titleOf({ metadata, json, field, heading: () => firstHeading(body) }),
      metadata,
      json,
      text: body,
    };
  },

  yaml(text, field) {
    const value = parseYaml(text);
    if (value === undefined)
      throw new Unreadable('EMPTY', 0, 'The file has nothing but blanks and comments.');
    return data(value, field);
  },

  json: (text, field) => data({ value: parseJson(text), json: text }, field),

  source: (text) => ({ title: undefined, metadata: {}, json: '{}', text }),
};

const noMetadata = (): Value => ({ value: {}, json: '{}' });

function data({ value: metadata, json }: Value, field: string): Content {
  return {
    title: titleOf({ metadata, json, field, heading: () => undefined }),
    metadata,
    json,
    text: undefined,
  };
}

function frontMatter(text: string): Value {
  const value = parseYaml(text);
  if (value === undefined || value.value === null) return noMetadata();
  if (typeof value.value === 'object' && !Array.isArray(value.value)) return value;
  throw new Unreadable(
    'INVALID_FRONT_MATTER',
    0,
    'The front matter is no mapping: it has to be lines such as "title: A title".',
  );
}
