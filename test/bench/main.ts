import { parseArgs } from 'node:util';
import type { Benchmark, Result } from './benchmark.ts';

import { bootstrap } from './bootstrap.ts';
import { bootstrapMany } from './bootstrap-many.ts';
import { burst } from './burst.ts';
import { coldStart } from './cold-start.ts';
import { createSchema, noOp } from './compare.ts';
import { describeEnvironment } from './environment.ts';
import { grantsApply, grantsNoop, grantsOne } from './grants.ts';
import { manifest } from './manifest.ts';
import { media } from './media.ts';
import { rotate } from './rotate.ts';
import { rotateUnderLoad } from './rotate-under-load.ts';
import { rotateWave } from './rotate-wave.ts';
import { syncFull } from './sync.ts';
import { syncNoop, syncOne } from './sync-again.ts';
import { formatResult, formatTable } from './table.ts';

const benchmarks: readonly Benchmark[] = [
  createSchema,
  noOp,
  coldStart,
  burst,
  grantsApply,
  grantsNoop,
  grantsOne,
  rotate,
  rotateWave,
  rotateUnderLoad,
  bootstrap,
  bootstrapMany,
  syncFull,
  syncNoop,
  syncOne,
  media,
  manifest,
];

const help = `Measures Drover against what the same work costs without it.

  npm run bench -- [NAME …] [--json] [--quick]

${benchmarks.map(({ name, description }) => `  ${name.padEnd(18)} ${description}`).join('\n')}

  --json     the figures as JSON on standard output, and nothing else there
  --quick    a tenth of the work: shows that it runs, its figures mean little
  --help     this

Without a NAME all are run. docs/benchmarks.md says what each one means.

  npm run bench -- cold-start
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const unknown = positionals.filter((wanted) => !benchmarks.some(({ name }) => name === wanted));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no benchmark ${unknown.join(', ')}.\n`);
  console.log(help);
  process.exit(values.help ? 0 : 2);
}

const chosen = benchmarks.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const environment = await describeEnvironment();
if (!values.json) console.log(formatTable([{ ...environment }]).join('\n'));
const results: Result[] = [];
for (const benchmark of chosen) {
  const result = await benchmark.run({
    scale: values.quick ? 0.1 : 1,
    progress: (what) => console.error(`${benchmark.name}: ${what}`),
  });
  results.push(result);
  if (!values.json) console.log(formatResult(result));
}
if (values.json) console.log(JSON.stringify({ environment, results }, undefined, 2));
