import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { type Catalog, catalogSchema } from '../../functions/sync-repo-metadata/catalog/model.ts';

/** Things that go wrong in such a repository. */
export type PlotsFault =
  /** Metadata that is no YAML. */
  | 'yaml-error'
  /** A field that is there twice in a specification. */
  | 'duplicate-field'
  /** Two programs that one library has for a plot, which have the same key. */
  | 'duplicate-key'
  /** A plot whose text is gone. */
  | 'missing-file'
  /** Metadata of a library that the catalog doesn't know. */
  | 'unknown-library'
  /** A score of 0, which is one: nothing is wrong with it. */
  | 'zero-score';

export interface PlotsOptions {
  /** How many plots there are. Each has {@link filesPerPlot}. */
  readonly plots: number;
  /** Where each fault is: the number of a plot, from 0. */
  readonly faults?: Readonly<Partial<Record<PlotsFault, number>>>;
  /** So long is a file at least, in characters; by default as long as it comes. All is ASCII. */
  readonly fileBytes?: number;
  /** Another one makes other texts in the same files. */
  readonly seed?: number;
}

const libraries = [
  { language: 'python', name: 'matplotlib', extension: 'py' },
  { language: 'python', name: 'seaborn', extension: 'py' },
  { language: 'python', name: 'plotly', extension: 'py' },
  { language: 'python', name: 'bokeh', extension: 'py' },
  { language: 'python', name: 'altair', extension: 'py' },
  { language: 'python', name: 'plotnine', extension: 'py' },
  { language: 'python', name: 'pygal', extension: 'py' },
  { language: 'r', name: 'ggplot2', extension: 'R' },
  { language: 'julia', name: 'makie', extension: 'jl' },
] as const;

type Library = (typeof libraries)[number] | typeof unknownLibrary;

const unknownLibrary = { language: 'python', name: 'gnuplot', extension: 'py' } as const;

/** A text, what is known of it, and for each library what is known of a program and the program itself. */
export const filesPerPlot = 2 + 2 * libraries.length;

/** The catalog that is shipped for repositories of this kind. */
export function plotsCatalog(): Catalog {
  const file = path.resolve(import.meta.dirname, '..', '..', 'samples', 'catalogs', 'plots.yaml');
  return catalogSchema.parse(parse(readFileSync(file, 'utf8')));
}

/** A repository of plots: its files, by their paths. The same options make the same files. */
export function plotsTree(options: PlotsOptions): Record<string, string> {
  return Object.fromEntries(plotsFiles(options));
}

/** The same, one after the other: for repositories that are larger than memory should be. */
export function* plotsFiles(options: PlotsOptions): Generator<readonly [path: string, content: string]> {
  const { plots, seed = 1, fileBytes = 0 } = options;
  for (let number = 0; number < plots; number += 1) {
    const faults = faultsOf(options, number);
    const plot: Plot = { number, plots, id: plotId(number), random: randomFrom(seed, number), fileBytes };
    // Also where it isn't given: the other files are to be the same.
    const text = specification(plot);
    if (!faults.has('missing-file')) yield [`plots/${plot.id}/specification.md`, text];
    const twice = faults.has('duplicate-field') ? 'title: Another one\n' : '';
    yield [`plots/${plot.id}/specification.yaml`, facts(plot) + twice];
    for (const [index, library] of libraries.entries()) {
      const isFirst = index === 0;
      const score = isFirst && faults.has('zero-score') ? 0 : undefined;
      const known = metadata(plot, library, score);
      yield [metadataPath(plot.id, library), isFirst && faults.has('yaml-error') ? broken(known) : known];
      yield [programPath(plot.id, library), program(plot, library)];
    }
    if (faults.has('unknown-library'))
      yield [metadataPath(plot.id, unknownLibrary), metadata(plot, unknownLibrary)];
    if (faults.has('duplicate-key')) yield [faultyPath('duplicate-key', number), '# Not used any more.\n'];
  }
}

/** The file that has a fault, or that isn't there. */
export function faultyPath(fault: PlotsFault, number: number): string {
  const id = plotId(number);
  switch (fault) {
    case 'missing-file':
      return `plots/${id}/specification.md`;
    case 'duplicate-field':
      return `plots/${id}/specification.yaml`;
    case 'unknown-library':
      return metadataPath(id, unknownLibrary);
    case 'duplicate-key':
      // Of the two, the one whose path comes later.
      return `${programPath(id, libraries[0])}3`;
    case 'yaml-error':
    case 'zero-score':
      return metadataPath(id, libraries[0]);
  }
}

/** `scatter-basic`, `line-basic` … `scatter-annotated` … `scatter-basic-2` */
export function plotId(number: number): string {
  const kind = kinds[number % kinds.length];
  const variant = variants[Math.floor(number / kinds.length) % variants.length];
  const round = Math.floor(number / (kinds.length * variants.length)) + 1;
  return `${kind}-${variant}${round === 1 ? '' : `-${round}`}`;
}

interface Plot {
  readonly number: number;
  /** How many there are in all. */
  readonly plots: number;
  readonly id: string;
  readonly random: Random;
  readonly fileBytes: number;
}

function faultsOf({ faults = {} }: PlotsOptions, number: number): ReadonlySet<PlotsFault> {
  const here = Object.entries(faults).filter(([, plot]) => plot === number);
  return new Set(here.map(([fault]) => fault as PlotsFault));
}

function metadataPath(id: string, { language, name }: Library): string {
  return `plots/${id}/metadata/${language}/${name}.yaml`;
}

function programPath(id: string, { language, name, extension }: Library): string {
  return `plots/${id}/implementations/${language}/${name}.${extension}`;
}

function specification({ id, random, fileBytes }: Plot): string {
  const head = `# ${id}: ${titleOf(id)}

## Description

${sentence(random)} ${sentence(random)}

## Data

- \`x\` (numeric): ${sentence(random)}
- \`y\` (numeric): ${sentence(random)}
- Size: ${random.below(50) + 10} to ${random.below(400) + 100} points

## Notes

`;
  return filled(head, fileBytes, () => `- ${filling(random)}\n`, 2);
}

function facts({ number, plots, id, random, fileBytes }: Plot): string {
  const related = [...new Set([random.below(plots), random.below(plots)])].filter(
    (other) => other !== number,
  );
  const head = `# What is known of ${id}.
spec_id: ${id}
title: ${titleOf(id)}
created: ${time(random, 2025)}
updated: ${time(random, 2026)}
issue: ${number + 1}
suggested: ${random.of(people)}
featured: ${random.below(10) === 0}
related: [${related.map(plotId).join(', ')}]
tags:
  plot_type: [${id.split('-')[0]}]
  features: [${random.some(words, 3).join(', ')}]
  domain:
    - ${random.of(words)}
`;
  return filled(head, fileBytes, () => `# ${filling(random)}\n`);
}

function metadata(plot: Plot, { language, name }: Library, score?: number): string {
  const { id, random, fileBytes } = plot;
  // Halves, too: not every score is an integer.
  const drawn = 60 + random.below(80) / 2;
  const quality = score ?? drawn;
  const head = `specification_id: ${id}
language: ${language}
library: ${name}
created: ${time(random, 2025)}
updated: ${time(random, 2026)}
quality_score: ${quality}
attempts: ${random.below(4)}
approved: ${quality >= 70}
tags: [${random.some(words, 4).join(', ')}]
preview_url: ${random.below(5) === 0 ? 'null' : `https://plots.example/${id}/${language}/${name}.png`}
library_version: "${random.below(9) + 1}.${random.below(20)}"
review:
  verdict: ${quality >= 70 ? 'APPROVED' : 'REJECTED'}
  strengths:
    - ${sentence(random)}
    - ${sentence(random)}
  description: |-
`;
  return filled(head, fileBytes, () => `    ${filling(random)}\n`, 2);
}

function program({ id, random, fileBytes }: Plot, { language, name }: Library): string {
  const assign = language === 'r' ? '<-' : '=';
  const values = () => (language === 'r' ? `c(${random.of(lists)})` : `[${random.of(lists)}]`);
  const head = `# ${id}, by ${name}
# ${sentence(random)}

x ${assign} ${values()}
y ${assign} ${values()}
`;
  return filled(head, fileBytes, () => `y${random.below(1000)} ${assign} ${values()}\n`, 4);
}

/** A text with more lines, until it is long enough. */
function filled(head: string, bytes: number, line: () => string, least = 0): string {
  const lines = [head];
  let length = head.length;
  for (let count = 0; count < least || length < bytes; count += 1) {
    const next = line();
    lines.push(next);
    length += next.length;
  }
  return lines.join('');
}

/** Ends in the middle of a list, as a merge does that went wrong. */
function broken(yaml: string): string {
  return yaml.replace(/^tags: .*$/m, 'tags: [one, two');
}

function titleOf(id: string): string {
  const spoken = id
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(' ');
  return `${spoken} Plot`;
}

function sentence(random: Random): string {
  const said = random.some(words, 7).join(' ');
  return `${said.slice(0, 1).toUpperCase()}${said.slice(1)}.`;
}

/** Of sentences that are there already: a repository may be some hundred megabytes. */
function filling(random: Random): string {
  return `${random.of(sentences)} ${random.of(sentences)}`;
}

function time(random: Random, year: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${year}-${two(random.below(9) + 1)}-${two(random.below(28) + 1)}`;
  return `${day}T${two(random.below(24))}:${two(random.below(60))}:00${random.of(offsets)}`;
}

interface Random {
  below(limit: number): number;
  of<T>(values: readonly T[]): T;
  some<T>(values: readonly T[], count: number): T[];
}

/** A linear congruential generator (Numerical Recipes): the low bits are poor, so the high ones count. */
function randomFrom(seed: number, number: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  const below = (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const of = <T>(values: readonly T[]) => values[below(values.length)] as T;
  return { below, of, some: (values, count) => Array.from({ length: count }, () => of(values)) };
}

const kinds = ['scatter', 'line', 'bar', 'box', 'heatmap', 'histogram', 'violin', 'area', 'pie', 'contour'];
const variants = ['basic', 'annotated', 'grouped', 'stacked', 'faceted', 'animated', 'polar', 'logarithmic'];
const people = ['ada', 'grace', 'hedy', 'katherine', 'radia'];
const offsets = ['Z', '+02:00', '-05:00', '+05:30'];
const words = [
  'correlation points distribution outliers categories trend confidence interval density regression',
  'colour axis legend grid label marker transparency palette contrast spacing',
  'shows compares groups reveals hides summarises separates repeats explains orders',
  'quickly clearly rarely often twice always together apart first last',
].flatMap((line) => line.split(' '));

const pool = randomFrom(0, 0);
const sentences = Array.from({ length: 1000 }, () => sentence(pool));
const lists = Array.from({ length: 1000 }, () =>
  Array.from({ length: 8 }, () => pool.below(1000) / 10).join(', '),
);
