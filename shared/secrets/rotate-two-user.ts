import { addVersion, disableVersion, SecretChanged } from '../gcp/secrets.ts';
import { newPassword, setPassword } from '../postgres/logins/password.ts';
import { logsIn, prove } from '../postgres/logins/proof.ts';
import { type Credential, credentialFor, formatCredential } from './credential.ts';
import type { PostgresSecret } from './managed.ts';
import { type CredentialVersion, readCredentials, readValue, refuseUnusable } from './observe.ts';
import {
  added,
  disabled,
  lookAgain,
  mostLooks,
  moveAliases,
  optionsOf,
  passwordOf,
  type Rotated,
  type Rotation,
  roleOf,
  scopeOf,
  withoutVersion,
} from './rotation.ts';
import { nextStep, type Observed, type Step, type Trust } from './two-user.ts';

type TwoUsers = readonly [string, string];

/**
 * Rotates a secret of two logins: looks, does what {@link nextStep} says, and looks again, until there is nothing left.
 *
 * @throws OperationError, `LoginFenced`
 */
export async function rotateTwoUser(rotation: Rotation<PostgresSecret>): Promise<Rotated> {
  const work = new TwoUserWork(rotation);
  for (let lost = 0; ; ) {
    try {
      const step = nextStep(rotation.operation.id, await work.observed());
      if (step.do === 'nothing') break;
      rotation.operation.signal.throwIfAborted();
      if ('breaks' in step && step.breaks) rotation.beforeBreaking();
      await work.take(step);
    } catch (error) {
      if (!(error instanceof SecretChanged)) throw error;
      await work.withdraw();
      lost += 1;
      if (lost === mostLooks) throw error;
      await lookAgain(rotation);
    }
  }
  const { current, previous } = rotation.seen;
  if (current === undefined) throw new Error('a rotation ended without a current version');
  return { current, previous, momentMs: 0 };
}

class TwoUserWork {
  readonly #rotation: Rotation<PostgresSecret>;
  readonly #logins: TwoUsers;
  readonly #trust = new Map<number, Trust>();
  #fresh: { readonly credential: Credential; readonly state: 'set' | 'proven' } | undefined;
  #added: CredentialVersion | undefined;
  #usable: readonly CredentialVersion[] = [];

  constructor(rotation: Rotation<PostgresSecret>) {
    const [first = '', second = ''] = rotation.managed.logins;
    this.#rotation = rotation;
    this.#logins = [first, second];
  }

  async observed(): Promise<Observed> {
    const { seen, managed, cache, id } = this.#rotation;
    const { usable, unusable } = await readCredentials(seen, managed, cache);
    refuseUnusable(id, unusable);
    this.#usable = usable;
    return {
      enabled: usable.map(({ number, credential: { username, password } }) => ({
        number,
        login: username,
        key: password,
      })),
      latest: seen.versions[0]?.number ?? 0,
      current: seen.current,
      movedBy: seen.movedBy,
      logins: this.#logins,
      trust: this.#trust,
      fresh: this.#fresh?.state ?? 'none',
    };
  }

  async take(step: Exclude<Step, { do: 'nothing' }>): Promise<void> {
    const { id, managed, operation, changes } = this.#rotation;
    const options = optionsOf(operation);
    switch (step.do) {
      case 'try-version': {
        const works = await logsIn(managed, this.#loginOf(step.version), options);
        this.#trust.set(step.version, works ? 'works' : 'broken');
        return;
      }
      case 'restore-password': {
        const { user, password } = this.#loginOf(step.version);
        await this.#setPassword(user, password);
        this.#trust.set(step.version, 'works');
        return;
      }
      case 'prove-version':
        await this.#prove(this.#loginOf(step.version));
        this.#trust.set(step.version, 'proven');
        return;
      case 'disable-version':
        await disableVersion(id, step.version);
        this.#rotation.seen = withoutVersion(this.#rotation.seen, step.version);
        changes.push(disabled(id, step.version));
        return;
      case 'set-password': {
        const password = newPassword();
        await this.#setPassword(step.login, password);
        const like = this.#usable.find(({ number }) => number === this.#rotation.seen.current)?.credential;
        const credential = credentialFor(managed, { username: step.login, password }, like);
        this.#fresh = { credential, state: 'set' };
        return;
      }
      case 'prove-login': {
        const { credential } = this.#requireFresh();
        await this.#prove({ user: credential.username, password: credential.password });
        this.#fresh = { credential, state: 'proven' };
        return;
      }
      case 'add-version': {
        const { credential } = this.#requireFresh();
        this.#added = await this.#addVersion(credential);
        this.#trust.set(this.#added.number, 'proven');
        this.#fresh = undefined;
        return;
      }
      case 'move-aliases':
        return moveAliases(this.#rotation, step.version);
      case 'copy-current':
        return this.#copyCurrent();
    }
  }

  /**
   * A version that was added and isn't the current one: if somebody else has changed its login since, it must go, and
   * `latest` lead to what works.
   */
  async withdraw(): Promise<void> {
    const lost = this.#added;
    if (lost === undefined) return;
    this.#added = undefined;
    const { id, managed, operation, changes } = this.#rotation;
    const { username: user, password } = lost.credential;
    if (await logsIn(managed, { user, password }, optionsOf(operation))) return;
    await disableVersion(id, lost.number);
    changes.push(disabled(id, lost.number));
    await lookAgain(this.#rotation);
    if (this.#rotation.seen.versions[0]?.number === lost.number) await this.#copyCurrent();
  }

  async #copyCurrent(): Promise<void> {
    const { id, seen, cache } = this.#rotation;
    const value = seen.current === undefined ? undefined : await readValue(id, seen.current, cache);
    if (value === undefined) throw new SecretChanged(id, 'the current version was disabled');
    const version = await addVersion(id, value);
    cache.set(version.number, value);
    this.#rotation.seen = { ...seen, versions: [version, ...seen.versions] };
    this.#rotation.changes.push(added(id, version.number));
  }

  async #addVersion(credential: Credential): Promise<CredentialVersion> {
    const { id, operation, cache, changes } = this.#rotation;
    const value = formatCredential(credential);
    // Nothing fences this: a version of somebody who slept would be `latest`.
    operation.signal.throwIfAborted();
    operation.assertHeld();
    const version = await addVersion(id, value);
    cache.set(version.number, value);
    this.#rotation.seen = {
      ...this.#rotation.seen,
      versions: [version, ...this.#rotation.seen.versions],
    };
    changes.push(added(id, version.number));
    return { number: version.number, createdAt: version.createdAt, credential };
  }

  async #setPassword(login: string, password: string): Promise<void> {
    const { id, managed, operation, epoch, force, changes } = this.#rotation;
    const change = { login, password, epoch, onlyIdle: !force };
    await setPassword(scopeOf(id, managed), change, optionsOf(operation));
    changes.push(passwordOf(login));
  }

  #prove(credential: { user: string; password: string }): Promise<void> {
    const { id, managed, operation } = this.#rotation;
    const twin = this.#logins.find((login) => login !== credential.user);
    const proof = { credential, twin, ...roleOf(managed), probe: managed.probe ?? undefined };
    return prove(scopeOf(id, managed), proof, optionsOf(operation));
  }

  #loginOf(version: number): { user: string; password: string } {
    const found = this.#usable.find(({ number }) => number === version);
    if (found === undefined) throw new Error(`version ${version} is not enabled`);
    return { user: found.credential.username, password: found.credential.password };
  }

  #requireFresh() {
    if (this.#fresh === undefined) throw new Error('no password was set');
    return this.#fresh;
  }
}
