import type { TestFile } from '../functions/sync-repo-metadata/source/archives.ts';
import { Prose } from './sync-words.ts';

/** A repository as the benchmarks read it: always the same for the same figures. */
export interface Tree {
  /** Documents: files that collections cover. */
  readonly documents: number;
  /** The article that has another text than in the tree without this. */
  readonly changed?: number;
}

/** Parts of all documents; articles are what is left. */
const shares = { authors: 0.05, examples: 0.05, products: 0.1 };

const sections = ['concepts', 'guides', 'news', 'operations', 'reference', 'tutorials'] as const;
const topics = [
  'storage',
  'network',
  'security',
  'billing',
  'analytics',
  'search',
  'mobile',
  'edge',
] as const;

const names = [
  ['ada', 'alan', 'barbara', 'claude', 'edsger', 'frances', 'grace', 'john', 'margaret', 'niklaus'],
  ['allen', 'backus', 'dijkstra', 'hamilton', 'hopper', 'liskov', 'lovelace', 'shannon', 'turing', 'wirth'],
] as const;

/** All files, in the order in which git has them: by the bytes of their paths. */
export function* filesOf(tree: Tree): Generator<Required<Pick<TestFile, 'path' | 'content'>>> {
  const counts = countsOf(tree);
  for (let index = 0; index < counts.authors; index += 1) {
    yield { path: `authors/${authorId(index)}.yaml`, content: author(index) };
  }
  for (const [at, section] of sections.entries()) {
    for (let index = at; index < counts.articles; index += sections.length) {
      const content = article(index, counts, index === tree.changed);
      yield { path: `content/${section}/${articleId(index)}.md`, content };
    }
  }
  yield { path: 'drover.catalog.yaml', content: catalog };
  for (let index = 0; index < counts.examples; index += 1) {
    yield { path: `examples/${number(index)}/main.ts`, content: example(index) };
  }
  for (let index = 0; index < counts.products; index += 1) {
    yield { path: `products/${productId(index)}.json`, content: product(index, counts) };
  }
  for (const [name, schema] of Object.entries(schemas)) {
    yield { path: `schemas/${name}.json`, content: `${JSON.stringify(schema, undefined, 2)}\n` };
  }
}

type Counts = ReturnType<typeof countsOf>;

function countsOf({ documents }: Tree) {
  const part = (share: number) => Math.max(1, Math.round(documents * share));
  const [authors, examples, products] = [part(shares.authors), part(shares.examples), part(shares.products)];
  return { authors, examples, products, articles: documents - authors - examples - products };
}

const number = (index: number) => String(index).padStart(5, '0');
const authorId = (index: number) => {
  const [first, last] = names;
  return `${number(index)}-${first[index % 10]}-${last[Math.floor(index / 10) % 10]}`;
};
const articleId = (index: number) => `article-${number(index)}`;
const articleKey = (index: number) => `${sections[index % sections.length]}/${articleId(index)}`;
const productId = (index: number) => `product-${number(index)}`;
const day = (prose: Prose) => `${2018 + prose.below(8)}-0${1 + prose.below(9)}-${10 + prose.below(18)}`;

/** A kind of its own for each, so that no two files have the same text. */
const seed = (kind: number, index: number) => kind * 1_000_000 + index;

function author(index: number): string {
  const prose = new Prose(seed(1, index));
  const name = authorId(index).split('-').slice(1).join(' ');
  return `# ${prose.sentence()}
name: ${name}
joined: ${day(prose)}
active: ${prose.random() < 0.8}
articles_per_year: ${prose.below(40)}
topics:
  - ${prose.pick(topics)}
  - ${prose.words(2)}
links:
  site: https://example.com/people/${authorId(index)}
  mail: ${authorId(index)}@example.com
about: ${JSON.stringify(prose.paragraph())}
`;
}

/** Of 4 to 25 KB, more of them short. */
function article(index: number, { articles, authors, products }: Counts, isChanged: boolean): string {
  const prose = new Prose(seed(2, index));
  const bytes = 3760 + 21_500 * prose.random() ** 2;
  const front = `---
title: ${prose.title()}
author: ${authorId(prose.below(authors))}
date: ${day(prose)}
updated: ${day(prose)}T1${prose.below(10)}:30:00+02:00
section: ${sections[index % sections.length]}
tags: [${prose.pick(topics)}, ${prose.pick(topics)}, ${prose.words(1)}]
score: ${(prose.random() * 10).toFixed(1)}
draft: ${prose.random() < 0.05}
products: [${productId(prose.below(products))}, ${productId(prose.below(products))}]
related: [${articleKey(prose.below(articles))}]
---
`;
  const parts = [front, `\n# ${prose.title()}\n\n${prose.paragraph()}\n`];
  let written = 0;
  while (written < bytes) {
    const part = block(prose);
    parts.push(part);
    written += part.length;
  }
  if (isChanged) parts.push('\nThis has been added since.\n');
  return parts.join('');
}

/** What articles are made of: mostly paragraphs. */
function block(prose: Prose): string {
  const kind = prose.random();
  if (kind < 0.12) return `\n## ${prose.title()}\n`;
  if (kind < 0.2) {
    const items = Array.from(
      { length: 3 + prose.below(5) },
      () => `- **${prose.words(2)}**: ${prose.sentence()}`,
    );
    return `\n${items.join('\n')}\n`;
  }
  if (kind < 0.26) return `\n\`\`\`ts\n${statements(prose, 6)}\`\`\`\n`;
  if (kind < 0.34) return `\n${prose.paragraph()} See [${prose.words(3)}](../guides/article-00001.md).\n`;
  return `\n${prose.paragraph()}\n`;
}

function statements(prose: Prose, count: number): string {
  return Array.from({ length: count }, () => {
    const [name, value, called] = [prose.words(1), prose.below(10_000), prose.words(1)];
    return `  const ${name}${value} = ${called}(${JSON.stringify(prose.words(3))}, ${value});\n`;
  }).join('');
}

function example(index: number): string {
  const prose = new Prose(seed(3, index));
  const functions = Array.from(
    { length: 8 },
    (_, at) => `/** ${prose.sentence()} */\nexport function step${at}() {\n${statements(prose, 9)}}\n`,
  );
  return `// ${prose.title()}\n\n${functions.join('\n')}`;
}

function product(index: number, { products }: Counts): string {
  const prose = new Prose(seed(4, index));
  return `${JSON.stringify(
    {
      title: prose.title(),
      price: prose.below(100_000) / 100,
      released: day(prose),
      available: prose.random() < 0.7,
      successor: prose.random() < 0.2 ? productId(prose.below(products)) : null,
      variants: Array.from({ length: 6 }, () => ({
        name: prose.words(2),
        stock: prose.below(500),
        weight: prose.below(5000) / 1000,
      })),
      description: `${prose.paragraph()} ${prose.paragraph()}`,
    },
    undefined,
    2,
  )}\n`;
}

/** What full text search takes the collections' texts to be in. */
export const languages: Readonly<Record<string, string>> = {
  articles: 'english',
  authors: 'simple',
  examples: 'simple',
  products: 'english',
};

const catalog = `version: 1
collections:
  articles:
    files: ['content/**/*.md']
    format: markdown
    path: content/{folder}/{slug}.md
    key: '{folder}/{slug}'
    language: ${languages['articles']}
    schema: schemas/articles.json
    references:
      - { field: author, collection: authors }
      - { field: products, collection: products }
      - { field: related, collection: articles }
  authors:
    files: ['authors/*.yaml']
    format: yaml
    key: '{stem}'
    title: name
    language: ${languages['authors']}
    schema: schemas/authors.json
  examples:
    files: ['examples/*/*.ts']
    format: source
    path: examples/{example}/{file}.ts
    key: '{example}/{file}'
    language: ${languages['examples']}
  products:
    files: ['products/*.json']
    format: json
    key: '{stem}'
    language: ${languages['products']}
    schema: schemas/products.json
    references:
      - { field: successor, collection: products }
`;

const text = { type: 'string', minLength: 1 };
const texts = { type: 'array', items: { type: 'string' } };
const date = { type: 'string', format: 'date' };

const schemas = {
  articles: {
    type: 'object',
    required: ['title', 'author', 'date', 'section', 'tags'],
    additionalProperties: false,
    properties: {
      title: text,
      author: { type: 'string', pattern: '^[0-9]{5}(-[a-z]+)+$' },
      date,
      updated: { type: 'string', format: 'date-time' },
      section: { enum: sections },
      tags: { ...texts, maxItems: 10 },
      score: { type: 'number', minimum: 0, maximum: 10 },
      draft: { type: 'boolean' },
      products: texts,
      related: texts,
    },
  },
  authors: {
    type: 'object',
    required: ['name', 'joined'],
    properties: {
      name: text,
      joined: date,
      active: { type: 'boolean' },
      articles_per_year: { type: 'integer', minimum: 0 },
      topics: texts,
      links: { type: 'object', additionalProperties: { type: 'string' } },
      about: text,
    },
  },
  products: {
    type: 'object',
    required: ['title', 'price', 'variants'],
    properties: {
      title: text,
      price: { type: 'number', minimum: 0 },
      released: date,
      available: { type: 'boolean' },
      successor: { type: ['string', 'null'] },
      variants: { type: 'array', items: { type: 'object', required: ['name', 'stock'] } },
      description: text,
    },
  },
};
