import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { grpcStatus } from '../../shared/gcp/status.ts';

const project = path.resolve(import.meta.dirname, '..', '..');
const runbook = readFileSync(path.join(project, 'docs', 'operations.md'), 'utf8');

/** Every code that the product's sources give to an error or a note. */
const codes = new Set(
  ['shared', 'functions', 'cli'].flatMap((folder) =>
    globSync(`${folder}/**/*.ts`, { cwd: project }).flatMap((file) => {
      const source = readFileSync(path.join(project, file), 'utf8');
      const made = /(?:OperationError|needsAdmin|super)\(\s*'([A-Z][A-Z_]+)'|code: '([A-Z][A-Z_]+)'/g;
      const table = /^ {2}\['[0-9A-Z]{2,5}', '([A-Z][A-Z_]+)'|^ {2}'?[0-9A-Z]{5}'?: '([A-Z][A-Z_]+)'/gm;
      return [...source.matchAll(made), ...source.matchAll(table)].map(([, a, b]) => a ?? b ?? '');
    }),
  ),
);

describe('the runbook', () => {
  it('was compared with codes that the sources do have', () => {
    expect([...codes]).toEqual(
      expect.arrayContaining([
        'INVALID_MESSAGE',
        'SCHEMA_NOT_MANAGED',
        'LOCK_TIMEOUT',
        'SUPERSEDED',
        'DATABASE_NOT_FOUND',
      ]),
    );
  });

  it.each([...codes].sort())('says what %s means', (code) => {
    expect(runbook.includes(`\`${code}\``)).toBe(true);
  });

  it.each(Object.keys(grpcStatus))('says what a Google service means by %s', (name) => {
    expect(runbook.includes(`\`GOOGLE_${name}\``)).toBe(true);
  });
});
