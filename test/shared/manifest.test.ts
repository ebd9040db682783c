import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionLogin, manifestSchema, readManifests } from '../../shared/manifest.ts';

const functionsFolder = path.resolve(import.meta.dirname, '..', '..', 'functions');
const manifests = readManifests();

describe('the manifests', () => {
  it('are those of all folders of functions', () => {
    const folders = readdirSync(functionsFolder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(manifests.map(({ name }) => name).sort()).toEqual(folders.sort());
    expect(manifests.length).toBeGreaterThan(1);
  });

  it.each(manifests)(
    'say of $name when its messages come again: after its time, and within the 600 s of a push',
    ({ timeoutSeconds, subscription }) => {
      expect(timeoutSeconds).toBeLessThan(subscription.ackDeadlineSeconds);
      expect(subscription.ackDeadlineSeconds).toBeLessThanOrEqual(600);
      expect(subscription.minimumBackoffSeconds).toBeLessThanOrEqual(subscription.maximumBackoffSeconds);
    },
  );

  it.each(manifests)('name a function that exists: $name', ({ name }) => {
    expect(existsSync(path.join(functionsFolder, name, 'index.ts'))).toBe(true);
    expect(name).toMatch(/^[a-z][a-z-]*$/);
  });

  it('give every function the topic of its name, but for what Pub/Sub gave up on', () => {
    for (const { name, trigger } of manifests) {
      expect(trigger.topic).toBe(name === 'dead-letter' ? 'dead-letters' : name);
    }
  });

  it('have every message given up some day, but never one that was given up already', () => {
    for (const { name, subscription } of manifests) {
      if (name === 'dead-letter') expect(subscription).not.toHaveProperty('maxDeliveryAttempts');
      else expect(subscription.maxDeliveryAttempts).toBe(100);
    }
  });

  it('let every function keep records and tell how its operations ended', () => {
    for (const { permissions } of manifests) {
      expect(permissions.roles).toContain('roles/datastore.user');
      expect(permissions.publishes).toContain('operation-results');
    }
  });
});

describe('a manifest', () => {
  const { name: _, ...valid } = manifests.find(({ name }) => name === 'create-schema') ?? { name: '' };

  it('is valid as it is', () => {
    expect(manifestSchema.safeParse(valid).success).toBe(true);
  });

  it.each([
    ['more time than a push can wait', { timeoutSeconds: 541 }],
    ['a misspelt setting', { memoryMB: 512 }],
    ['no concurrency', { concurrency: 0 }],
    ['rights that nobody has', { permissions: { roles: [], publishes: [], database: 'superuser' } }],
    ['a longer deadline than Pub/Sub knows', { subscription: { ackDeadlineSeconds: 601 } }],
  ])('can’t have %s', (_, more) => {
    expect(manifestSchema.safeParse({ ...valid, ...more }).success).toBe(false);
  });
});

describe('the login of a function', () => {
  it.each([
    ['acme', 'drover-create-schema@acme.iam'],
    ['example.com:acme', 'drover-create-schema@acme.example.com.iam'],
  ])('in %s is %s', (project, login) => {
    expect(functionLogin('create-schema', project)).toBe(login);
  });
});
