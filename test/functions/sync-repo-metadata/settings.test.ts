import { expect, it } from 'vitest';
import { settingsOf } from '../../../functions/sync-repo-metadata/settings.ts';
import { adaptWebhook } from '../../../functions/sync-repo-metadata/webhook.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const settings = [
  { repository: 'acme/private', token: 'projects/p/secrets/one' },
  { repository: 'acme/*', target, ref: 'refs/tags/v1' },
];

it('settings are of every repository that their pattern covers, in any case and in their order', () => {
  expect(settingsOf('Acme/Private', settings)).toEqual(settings);
  expect(settingsOf('acme/site', settings)).toEqual(settings.slice(1));
  expect(settingsOf('other/site', settings)).toEqual([]);
});

it('an annotated tag that is pushed stands for its commit, and not for itself', () => {
  const [tag, commit] = ['a'.repeat(40), 'b'.repeat(40)];
  const push = {
    ref: 'refs/tags/v1',
    after: tag,
    head_commit: { id: commit },
    repository: { full_name: 'acme/site', default_branch: 'main' },
  };
  const adapted = adaptWebhook({ data: Buffer.from(JSON.stringify(push)), attributes: {} }, settings);
  const message: unknown = adapted && 'data' in adapted ? JSON.parse(adapted.data.toString()) : undefined;
  expect(message).toMatchObject({ ref: 'refs/tags/v1', commit, target });
});
