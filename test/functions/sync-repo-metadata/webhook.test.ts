import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { syncRepoMetadataMessage } from '../../../functions/sync-repo-metadata/message.ts';
import { adaptWebhook } from '../../../functions/sync-repo-metadata/webhook.ts';
import { pushEvent } from '../../../local/github/push-event.ts';
import { LocalRepository } from '../../../local/github/repository.ts';
import type { RepositorySettings } from '../../../shared/config.ts';

const target = { instance: 'acme-prod:europe-west1:main', database: 'portal' };
const elsewhere = { ...target, database: 'elsewhere' };
const docs: RepositorySettings = { repository: 'acme/docs', target };

const repository = new LocalRepository(7, 'acme/docs', {}, () => new Date('2026-03-01T12:00:00Z'));
const first = repository.commit({ files: { a: '1' } });
const second = repository.commit({ files: { a: '2' } });
const pushed = pushEvent(repository, { before: first.sha, after: second.sha });

function adapt(
  payload: unknown,
  settings: readonly RepositorySettings[] = [docs],
  attributes: Record<string, string> = {},
): unknown {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const adapted = adaptWebhook({ data: Buffer.from(text), attributes }, settings);
  return adapted && 'data' in adapted ? JSON.parse(adapted.data.toString()) : adapted;
}

const message = {
  repository: 'acme/docs',
  ref: 'refs/heads/main',
  commit: second.sha,
  source: 'github',
  target,
};

describe('a push', () => {
  it('to the default branch of a repository that is kept is a message about that commit', () => {
    expect(adapt(pushed)).toEqual(message);
    expect(syncRepoMetadataMessage.parse(adapt(pushed))).toMatchObject(message);
  });

  it('by force, too', () => {
    const forced = pushEvent(repository, { before: second.sha, after: first.sha, forced: true });
    expect(adapt(forced)).toEqual({ ...message, commit: first.sha });
  });

  it('takes the schema from the settings, and the token stays there', () => {
    const settings = { ...docs, schema: 'catalog', token: 'projects/acme/secrets/github' };
    expect(adapt(pushed, [settings])).toEqual({ ...message, schema: 'catalog' });
  });

  it.each([{ 'x-github-event': 'push' }, { 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': '1' }, {}])(
    'is known with the attributes %j',
    (attributes) => {
      expect(adapt(pushed, [docs], attributes as Record<string, string>)).toEqual(message);
    },
  );

  it('is known by what is needed of it', () => {
    const { full_name, default_branch } = pushed.repository;
    const { ref, after } = pushed;
    expect(adapt({ ref, after, repository: { full_name, default_branch } })).toEqual(message);
  });

  it('may come as the form that GitHub sends unless told otherwise', () => {
    const form = new URLSearchParams({ payload: JSON.stringify(pushed) }).toString();
    expect(adapt(form)).toEqual(message);
  });

  it('of many commits makes a small message', () => {
    const commits = Array.from({ length: 2000 }, (_, id) => ({ id, message: 'x'.repeat(2000) }));
    expect(adapt({ ...pushed, commits })).toEqual(message);
  });

  it.each([
    ['main', 'refs/heads/main', true],
    ['refs/heads/main', 'refs/heads/main', true],
    ['main', 'refs/tags/main', false],
    ['release', 'refs/heads/main', false],
    ['feature/x#1', 'refs/heads/feature/x#1', true],
    ['refs/tags/v1', 'refs/tags/v1', true],
    [undefined, 'refs/heads/main', true],
    [undefined, 'refs/heads/dev', false],
    [undefined, 'refs/heads/x/main', false],
    [undefined, 'refs/tags/v1', false],
  ])('where %s is kept, %s is: %j', (kept, ref, isKept) => {
    const settings = kept === undefined ? docs : { ...docs, ref: kept };
    expect(adapt({ ...pushed, ref }, [settings])).toEqual(
      isKept ? { ...message, ref } : { ignore: `nothing is kept of ${ref} of acme/docs` },
    );
  });

  it('goes by the default branch, whatever its name', () => {
    const other = { ...pushed, repository: { ...pushed.repository, default_branch: 'trunk' } };
    expect(adapt(other)).toHaveProperty('ignore');
    expect(adapt({ ...other, ref: 'refs/heads/trunk' })).toEqual({ ...message, ref: 'refs/heads/trunk' });
  });

  it('of which a relay left the default branch out has GitHub asked for that', () => {
    const { default_branch: _, ...rest } = pushed.repository;
    const expected = { repository: 'acme/docs', source: 'github', target };
    expect(adapt({ ...pushed, repository: rest })).toEqual(expected);
    expect(adapt({ ...pushed, ref: 'refs/heads/dev', repository: rest })).toEqual(expected);
    expect(adapt({ ...pushed, repository: rest }, [{ ...docs, ref: 'main' }])).toEqual(message);
  });

  it('that deletes a branch asks for nothing', () => {
    expect(adapt(pushEvent(repository, { before: second.sha }))).toEqual({
      ignore: 'refs/heads/main of acme/docs was deleted',
    });
    expect(adapt({ ...pushed, after: '0'.repeat(64) })).toHaveProperty('ignore');
  });
});

describe('settings', () => {
  it.each([
    ['acme/docs', true],
    ['acme/*', true],
    ['*/docs', true],
    ['ACME/Docs', true],
    ['acme/d*s', true],
    ['*', false],
    ['acme/doc', false],
    ['acme/docs-2', false],
    ['acme.docs', false],
  ])('of %s name acme/docs: %j', (pattern, named) => {
    expect(adapt(pushed, [{ repository: pattern, target: elsewhere }])).toEqual(
      named ? { ...message, target: elsewhere } : expect.not.objectContaining({ target: elsewhere }),
    );
  });

  it('count by the first that names both the repository and the ref', () => {
    const settings = [
      { ...docs, ref: 'release', target: elsewhere },
      docs,
      { repository: 'acme/*', target: elsewhere },
    ];
    expect(adapt(pushed, settings)).toEqual(message);
    expect(adapt({ ...pushed, ref: 'refs/heads/release' }, settings)).toEqual({
      ...message,
      ref: 'refs/heads/release',
      target: elsewhere,
    });
  });

  it('without a target are there for a token, and no push asks for anything', () => {
    const settings = { repository: 'acme/*', token: 'projects/acme/secrets/github' };
    expect(adapt(pushed, [settings])).toEqual({
      ignore: 'the settings of acme/docs have no target for its pushes',
    });
    expect(adapt(pushed, [docs, settings])).toEqual(message);
  });

  it('that name no repository leave a message without a target, which is rejected on record', () => {
    const { target: _, ...rest } = message;
    expect(adapt(pushed, [])).toEqual(rest);
    const refused = syncRepoMetadataMessage.safeParse(adapt(pushed, [])).error?.issues;
    expect(refused?.map(({ path }) => path)).toEqual([['target']]);
    expect(adapt({ ...pushed, ref: 'refs/heads/dev' }, [])).toHaveProperty('ignore');
  });
});

describe('another event', () => {
  const { sender, repository: about } = pushed;

  it.each([
    ['ping', { zen: 'Keep it logically awesome.', hook_id: 1, hook: {}, sender, repository: about }],
    ['ping', { zen: 'Keep it logically awesome.', hook_id: 1, hook: {} }],
    ['create', { ref: 'main', ref_type: 'branch', repository: about, sender }],
    ['delete', { ref: 'main', ref_type: 'branch', repository: about, sender }],
    ['issues', { action: 'opened', issue: {}, repository: about, sender }],
    ['installation', { action: 'created', installation: {}, sender }],
    ['pull_request', { action: 'synchronize', before: first.sha, after: second.sha, repository: about }],
  ])('asks for nothing: %s', (event, payload) => {
    expect(adapt(payload, [docs], { 'x-github-event': event })).toEqual({
      ignore: `${event} asks for nothing`,
    });
    expect(adapt(payload)).toHaveProperty('ignore');
  });

  it('asks for nothing even where it looks like a push', () => {
    expect(adapt(pushed, [docs], { 'X-GITHUB-EVENT': 'workflow_run' })).toHaveProperty('ignore');
  });
});

describe('what isn’t GitHub’s', () => {
  it.each([
    [message],
    [{ repository: 'acme/docs', source: 'archive', target }],
    [{ ...message, repository: { owner: 'acme', name: 'docs' } }],
    [{ ...message, sender: 'me' }],
    [{}],
    [[pushed]],
    ['null'],
    ['{'],
    [''],
    ['payload='],
    [`${'['.repeat(100_000)}`],
    [`{"repository":{"full_name":"acme/docs"},"padding":"${'x'.repeat(11 * 1024 * 1024)}"}`],
  ])('is taken as it is (%#)', (payload) => {
    expect(adapt(payload)).toBeUndefined();
  });

  it('is so even where it is called a push', () => {
    expect(adapt({ ref: 5 }, [docs], { 'x-github-event': 'push' })).toBeUndefined();
  });

  it('never makes it fail', () => {
    const parts = fc.record(
      {
        ref: fc.anything(),
        after: fc.oneof(fc.string(), fc.anything()),
        deleted: fc.anything(),
        repository: fc.oneof(
          fc.anything(),
          fc.record({ full_name: fc.string(), default_branch: fc.string() }),
        ),
        sender: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const given = fc.oneof(
      fc.string(),
      fc.json(),
      parts.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(given, fc.constantFrom({}, { 'x-github-event': 'push' }), (text, attributes) => {
        const adapted = adaptWebhook({ data: Buffer.from(text), attributes: { ...attributes } }, [docs]);
        if (adapted && 'data' in adapted)
          expect(JSON.parse(adapted.data.toString())).toHaveProperty('source');
      }),
    );
  });
});
