import { describe, expect, it } from 'vitest';
import type { AccessRequest } from '../../../shared/operation/policy.ts';
import { foreignTo } from '../../../shared/tenants/scope.ts';
import { tenantRecord } from '../../support/tenant-record.ts';

const { place } = tenantRecord('acme');
const target = { instance: place.instance, database: 'app' };

const foreign = (isolation: 'schema' | 'database', request: Partial<AccessRequest>) =>
  foreignTo(
    { levels: ['owner'], principals: [], actions: [], ...request },
    { isolation, place: { ...place, schema: 'tenant_acme', apiKeySecret: 'tenant-acme-api-key' } },
  );

describe('a tenant with a schema in a shared database', () => {
  it.each<[string, Partial<AccessRequest>]>([
    ['its schema', { target, schema: 'tenant_acme' }],
    ['its secrets', { secrets: ['tenant-acme-database', 'tenant-acme-api-key'] }],
    ['its secret for its schema', { target, schema: 'tenant_acme', secrets: ['tenant-acme-database'] }],
  ])('may ask for %s', (_, request) => {
    expect(foreign('schema', request)).toEqual([]);
  });

  it.each<[string, Partial<AccessRequest>, string]>([
    ['another schema', { target, schema: 'tenant_acme2' }, 'schema tenant_acme2 of'],
    ['the database as a whole', { target }, 'the shared database'],
    [
      'its schema in another database',
      { target: { ...target, database: 'other' }, schema: 'tenant_acme' },
      'database acme:europe-west1:main/other',
    ],
    [
      'its schema in another instance',
      { target: { ...target, instance: 'acme:europe-west1:second' }, schema: 'tenant_acme' },
      'database acme:europe-west1:second/app',
    ],
    ['closing the database', { target, schema: 'tenant_acme', reaches: 'database' }, 'all schemas of'],
    ['something of the instance', { target, schema: 'tenant_acme', reaches: 'instance' }, 'the instance'],
    [
      'another’s secret',
      { secrets: ['tenant-acme-database', 'tenant-other-database'] },
      'secret tenant-other-',
    ],
  ])('may not ask for %s', (_, request, named) => {
    const found = foreign('schema', request);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(named);
  });
});

describe('a tenant with a database of its own', () => {
  it.each<[string, Partial<AccessRequest>]>([
    ['any schema in it', { target, schema: 'whatever' }],
    ['all of it', { target, reaches: 'database' }],
  ])('may ask for %s', (_, request) => {
    expect(foreign('database', request)).toEqual([]);
  });

  it.each<[string, Partial<AccessRequest>]>([
    ['another database', { target: { ...target, database: 'other' }, schema: 'tenant_acme' }],
    ['something of the instance', { target, reaches: 'instance' }],
    ['something of the instance, by a secret', { secrets: [place.secret], reaches: 'instance' }],
  ])('may not ask for %s', (_, request) => {
    expect(foreign('database', request)).toHaveLength(1);
  });
});
