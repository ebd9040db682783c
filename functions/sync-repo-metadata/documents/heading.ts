import { plainText } from './inline.ts';

/** Beyond this nobody reads a heading; bounds what it takes to find its text. */
const longest = 2_000;

/** Headings without text, such as pictures: nobody has as many before one that has some. */
const mostEmpty = 100;

/** A line of something that a heading can't be made of: a quote, a list, HTML, a table. */
const otherBlock = /^(?:[>|<]|[-*+](?:[ \t]|$)|[0-9]{1,9}[.)](?:[ \t]|$))/;
const thematicBreak = /^(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})$/;
const underline = /^(?:=+|-+)$/;
const fence = /^(?:`{3,}(?=[^`]*$)|~{3,})/;

/** What the line before belongs to; a paragraph may turn out to be a heading, by the line under it. */
type Block =
  | { readonly kind: 'none' | 'other' | 'comment' }
  | { readonly kind: 'paragraph'; readonly start: number }
  | { readonly kind: 'code'; readonly fence: string };

const none: Block = { kind: 'none' };

/**
 * @returns the text of the first heading that has some (CommonMark 0.31.2, 4.2 and 4.3), without its markup. Code and
 *   comments have none.
 */
export function firstHeading(body: string): string | undefined {
  let block: Block = none;
  let empty = 0;
  for (let at = 0; at < body.length && empty < mostEmpty; ) {
    const feed = body.indexOf('\n', at);
    const end = feed === -1 ? body.length : feed;
    const line = body.slice(at, Math.min(end, at + longest)).trimEnd();
    const next = read(line, block, at);
    if ('kind' in next) {
      block = next;
    } else {
      const written = next.heading ?? body.slice(next.start, Math.min(at, next.start + longest));
      const text = plainText(written);
      if (text !== '') return text;
      empty += 1;
      block = none;
    }
    at = end + 1;
  }
  return undefined;
}

/** A heading: its text, or where the paragraph begins that is its text and ends before this line. */
type Heading = { readonly heading: string } | { readonly heading?: undefined; readonly start: number };

function read(line: string, block: Block, at: number): Block | Heading {
  const content = line.trimStart();
  const indented = line.length - content.length > 3 || line.startsWith('\t');
  if (block.kind === 'code') return !indented && closes(content, block.fence) ? none : block;
  if (block.kind === 'comment') return content.includes('-->') ? none : block;
  if (content === '') return none;
  // An indented line goes on with a paragraph, or is code.
  if (indented) return block;

  if (content.startsWith('<!--')) return content.includes('-->', 4) ? none : { kind: 'comment' };
  const [opened] = fence.exec(content) ?? [];
  if (opened !== undefined) return { kind: 'code', fence: opened };
  if (/^#{1,6}(?:[ \t]|$)/.test(content)) return { heading: atx(content) };
  if (block.kind === 'paragraph' && underline.test(content)) return { start: block.start };
  if (thematicBreak.test(content)) return none;
  if (block.kind === 'paragraph') return block;
  return block.kind === 'other' || otherBlock.test(content)
    ? { kind: 'other' }
    : { kind: 'paragraph', start: at };
}

function closes(content: string, opened: string): boolean {
  return content.startsWith(opened) && content === opened.charAt(0).repeat(content.length);
}

/** Without the signs before it, and those after it that a blank sets apart. */
function atx(content: string): string {
  const heading = content.slice(content.search(/[^#]|$/));
  let end = heading.length;
  while (heading[end - 1] === '#') end -= 1;
  return end === 0 || /[ \t]/.test(heading.charAt(end - 1)) ? heading.slice(0, end) : heading;
}
