import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectionFor, readConfig } from '../../shared/config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'drover-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = { GOOGLE_CLOUD_PROJECT: 'acme' };
const read = (environment: Record<string, string> = {}) => readConfig({ ...minimal, ...environment });

const file = (name: string, text: string) => {
  writeFileSync(path.join(folder, name), text);
  return `@${path.join(folder, name)}`;
};

describe('the configuration', () => {
  it('needs nothing but the project', () => {
    expect(read()).toEqual({
      GOOGLE_CLOUD_PROJECT: 'acme',
      FUNCTION_TARGET: '',
      PORT: 8080,
      DROVER_FIRESTORE_DATABASE: '(default)',
      DROVER_RESULTS_TOPIC: 'operation-results',
      DROVER_INSTANCES: [],
      DROVER_POLICY: { rules: [] },
      DROVER_LEASE_SECONDS: 60,
      DROVER_SHUTDOWN_SECONDS: 8,
      DROVER_RECORD_DAYS: 400,
      DROVER_CONNECTIONS_PER_DATABASE: 16,
      DROVER_CONNECTIONS_PER_INSTANCE: 20,
      DROVER_CONNECTIONS_PER_PROCESS: 60,
      DROVER_CONNECTION_WAIT_SECONDS: 30,
      DROVER_ADMIN_API_PER_MINUTE: 60,
      DROVER_DRIFT_MINUTES: 60,
      DROVER_SECRET_GRACE_HOURS: 24,
      DROVER_SECRET_ROTATION_DAYS: 90,
      DROVER_SECRET_DESTROY_DAYS: 7,
      DROVER_SECRET_LOCATIONS: [],
      DROVER_ROTATIONS_AT_A_TIME: 20,
      DROVER_ROTATIONS_PER_INSTANCE: 4,
      DROVER_ROTATION_FAILURES: 5,
      DROVER_PLANS: expect.objectContaining({ STARTER: expect.anything(), SCALE: expect.anything() }),
      DROVER_TENANTS_BUCKET: '',
      DROVER_ARCHIVE_BUCKET: '',
      DROVER_REPOSITORIES: [],
      DROVER_GITHUB_API: 'https://api.github.com',
      DROVER_ARCHIVE_ENTRIES: 200_000,
      DROVER_ARCHIVE_BYTES: 4 * 1024 ** 3,
      DROVER_DOCUMENT_BYTES: 5 * 1024 ** 2,
      DROVER_REGION: 'EU',
      DROVER_DATASET: 'drover',
      DROVER_KMS_KEY: '',
      DROVER_ROUTES: [],
      DROVER_LOG_LEVEL: 'info',
    });
  });

  it('says which variable is missing', () => {
    expect(() => readConfig({})).toThrow(/^The configuration can't be used:\n[\s\S]*at GOOGLE_CLOUD_PROJECT/);
  });

  it.each([
    ['GOOGLE_CLOUD_PROJECT', ''],
    ['PORT', 'http'],
    ['PORT', '70000'],
    ['PORT', '8080.5'],
    ['DROVER_LEASE_SECONDS', '0'],
    ['DROVER_LEASE_SECONDS', '601'],
    ['DROVER_LEASE_SECONDS', 'soon'],
    ['DROVER_SHUTDOWN_SECONDS', '0'],
    ['DROVER_RECORD_DAYS', '31'],
    ['DROVER_CONNECTIONS_PER_DATABASE', '0'],
    ['DROVER_CONNECTIONS_PER_INSTANCE', '1.5'],
    ['DROVER_CONNECTIONS_PER_PROCESS', 'many'],
    ['DROVER_CONNECTION_WAIT_SECONDS', '541'],
    ['DROVER_ADMIN_API_PER_MINUTE', '0'],
    ['DROVER_SECRET_GRACE_HOURS', '0'],
    ['DROVER_SECRET_GRACE_HOURS', '8761'],
    ['DROVER_SECRET_ROTATION_DAYS', '-1'],
    ['DROVER_SECRET_ROTATION_DAYS', '30.5'],
    ['DROVER_SECRET_DESTROY_DAYS', '0'],
    ['DROVER_ROTATIONS_AT_A_TIME', '0'],
    ['DROVER_ROTATIONS_PER_INSTANCE', 'all'],
    ['DROVER_ROTATION_FAILURES', '0'],
    ['DROVER_LOG_LEVEL', 'verbose'],
    ['DROVER_INSTANCES', '{}'],
    ['DROVER_INSTANCES', '[{"connector":"magic"}]'],
    ['DROVER_POLICY', '[]'],
    ['DROVER_POLICY', '{"rules":[{"functions":[],"targets":["a:b:c/d"]}]}'],
    ['DROVER_POLICY', '{"rules":[{"functions":["f"],"targets":["everything"]}]}'],
    ['DROVER_POLICY', '{"rules":[{"functions":["f"]}]}'],
    ['DROVER_POLICY', '{"rules":[{"functions":["f"],"targets":[],"secrets":[]}]}'],
    ['DROVER_POLICY', '{"rules":[{"functions":["f"],"secrets":"app"}]}'],
    ['DROVER_POLICY', '{"rules":[],"allow":"all"}'],
  ])('says that %s is wrong where it is %j', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(new RegExp(`at ${name}\\b`));
  });

  it('says all that is wrong at once', () => {
    const wrong = () => readConfig({ PORT: 'x', DROVER_LEASE_SECONDS: '0', DROVER_POLICY: '{' });
    for (const name of ['GOOGLE_CLOUD_PROJECT', 'PORT', 'DROVER_LEASE_SECONDS', 'DROVER_POLICY']) {
      expect(wrong).toThrow(new RegExp(`at ${name}\\b`));
    }
  });
});

const policy = {
  rules: [
    {
      functions: ['create-schema'],
      targets: ['acme:*:*/app'],
      secrets: ['app-*'],
      repositories: [],
      levels: ['reader'],
      principals: [],
      actions: [] as string[],
    },
  ],
};

describe('a setting that is JSON', () => {
  it('is given as text', () => {
    expect(read({ DROVER_POLICY: JSON.stringify(policy) }).DROVER_POLICY).toEqual(policy);
  });

  it('is given as a file', () => {
    expect(read({ DROVER_POLICY: file('policy.json', JSON.stringify(policy)) }).DROVER_POLICY).toEqual(
      policy,
    );
  });

  it.each([
    ['broken', '{"rules":'],
    ['empty', ''],
    ['in no file', `@${path.join(folder, 'missing.json')}`],
  ])('is named where it is %s', (_, value) => {
    expect(() => read({ DROVER_POLICY: value })).toThrow(/at DROVER_POLICY/);
  });

  it('is named where it is broken in a file', () => {
    expect(() => read({ DROVER_INSTANCES: file('broken.json', '[{]') })).toThrow(/at DROVER_INSTANCES/);
  });

  it('says where within it something is wrong', () => {
    const broken = { rules: [{ ...policy.rules[0], functions: 'create-schema' }] };
    expect(() => read({ DROVER_POLICY: JSON.stringify(broken) })).toThrow(
      /at DROVER_POLICY\.rules\[0\]\.functions/,
    );
  });
});

describe('a rule', () => {
  const ruleOf = (more: object) => {
    const rules = [{ functions: ['rotate-secret'], ...more }];
    return read({ DROVER_POLICY: JSON.stringify({ rules }) }).DROVER_POLICY.rules[0];
  };

  it('speaks of databases, of secrets or of both', () => {
    const nothing = {
      functions: ['rotate-secret'],
      repositories: [],
      levels: [],
      principals: [],
      actions: [],
    };
    const targets = ['acme:*:*/app'];
    const secrets = ['app-*'];
    expect(ruleOf({ targets })).toEqual({ ...nothing, targets, secrets: [] });
    expect(ruleOf({ secrets })).toEqual({ ...nothing, targets: [], secrets });
    expect(ruleOf({ targets, secrets })).toEqual({ ...nothing, targets, secrets });
  });

  it('that speaks of neither is said to', () => {
    expect(() => ruleOf({ levels: ['reader'] })).toThrow(
      /must name targets or secrets[\s\S]*at DROVER_POLICY\.rules\[0\]/,
    );
  });
});

describe('the places of secrets', () => {
  it.each([
    ['', []],
    ['europe-west1', ['europe-west1']],
    ['europe-west1, europe-west4 ,', ['europe-west1', 'europe-west4']],
  ])('are %j as a list', (text, list) => {
    expect(read({ DROVER_SECRET_LOCATIONS: text }).DROVER_SECRET_LOCATIONS).toEqual(list);
  });
});

describe('the connections', () => {
  const direct = { instances: 'acme:*:main', connector: 'direct', host: 'db', user: 'drover' };
  const cloudsql = { instances: 'acme:*:*', connector: 'cloudsql', user: 'drover@acme.iam' };
  const settings = (...entries: object[]) =>
    read({ DROVER_INSTANCES: JSON.stringify(entries) }).DROVER_INSTANCES;

  it('have safe defaults: a private address, a verified certificate', () => {
    expect(settings(direct, cloudsql)).toEqual([
      { ...direct, port: 5432, tls: 'verify' },
      { ...cloudsql, ipType: 'PRIVATE' },
    ]);
  });

  it.each([
    ['a password in the open', { ...direct, password: 'hunter2' }],
    ['a password from two places', { ...direct, password: { file: '/p', env: 'P' } }],
    ['a setting of the other connector', { ...cloudsql, host: 'db' }],
    ['a misspelt setting', { ...direct, TLS: 'off' }],
    ['a pattern that is no connection name', { ...direct, instances: '*' }],
    ['a port that is none', { ...direct, port: 0 }],
  ])('can’t have %s', (_, entry) => {
    expect(() => settings(entry)).toThrow(/at DROVER_INSTANCES\[0\]/);
  });

  it('name an Admin API beside a direct way', () => {
    const withApi = { ...direct, adminApi: 'http://127.0.0.1:8087' };
    expect(settings(withApi)).toEqual([{ ...withApi, port: 5432, tls: 'verify' }]);
    expect(() => settings({ ...direct, adminApi: '127.0.0.1' })).toThrow(/at DROVER_INSTANCES\[0\]/);
  });

  it('are chosen by the first entry that covers the instance; without one there is none', () => {
    const entries = settings(direct, cloudsql);
    expect(connectionFor('acme:europe-west1:main', entries)?.connector).toBe('direct');
    expect(connectionFor('acme:europe-west1:other', entries)?.connector).toBe('cloudsql');
    expect(connectionFor('acme-prod:europe-west1:main', entries)).toBeUndefined();
  });
});
