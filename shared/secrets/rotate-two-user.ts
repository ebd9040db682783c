import { addVersion, disableVersion, SecretChanged } from '../gcp/secrets.ts';
import { newPassword, setPassword } from '../postgres/logins/password.ts';
import { logsIn, prove } from '../postgres/logins/proof.ts';
import { inUse } from '../postgres/logins/refusals.ts';
import { endLoginSessions } from '../postgres/logins/sessions.ts';
import { type Credential, credentialFor, formatCredential } from './credential.ts';
import type { PostgresSecret } from './managed.ts';
import { type CredentialVersion, readCredentials, refuseUnusable } from './observe.ts';
import {
  added,
  currentBroken,
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
import { copyCurrent, isOvertaken, withdraw } from './withdraw.ts';

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
      if (isOvertaken(error, rotation.operation)) await work.withdraw();
      if (!(error instanceof SecretChanged)) throw error;
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
  /** The credential of which this attempt has sent a version. */
  #sent: Credential | undefined;
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
      case 'prove-version':
        await this.#prove(this.#loginOf(step.version));
        this.#trust.set(step.version, 'proven');
        return;
      case 'disable-version':
        if (step.breaks) await this.#refuseTaking(step.version);
        operation.assertHeld();
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
        this.#trust.set(await this.#addVersion(credential), 'proven');
        this.#fresh = undefined;
        return;
      }
      case 'move-aliases':
        return moveAliases(this.#rotation, step.version);
      case 'copy-current':
        return copyCurrent(this.#rotation);
    }
  }

  /** If somebody else has changed the login since, a version of this attempt must go. */
  async withdraw(): Promise<void> {
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    const login = { user: sent.username, password: sent.password };
    await withdraw(this.#rotation, formatCredential(sent), (_, options) =>
      logsIn(this.#rotation.managed, login, options),
    );
  }

  async #addVersion(credential: Credential): Promise<number> {
    const { id, operation, cache, changes } = this.#rotation;
    const value = formatCredential(credential);
    // Nothing fences this: a version of somebody who slept would be `latest`.
    operation.signal.throwIfAborted();
    operation.assertHeld();
    this.#sent = credential;
    const version = await addVersion(id, value);
    cache.set(version.number, value);
    this.#rotation.seen = {
      ...this.#rotation.seen,
      versions: [version, ...this.#rotation.seen.versions],
    };
    changes.push(added(id, version.number));
    return version.number;
  }

  /** Before anything is taken from whoever uses the login: afterwards it would be refused its password. */
  async #refuseTaking(version: number): Promise<void> {
    const { id, managed, operation, force, seen } = this.#rotation;
    if (force) return;
    const { user } = this.#loginOf(version);
    if (this.#usable.some(({ number }) => number === seen.current)) {
      const current = this.#loginOf(seen.current ?? 0);
      if (!(await logsIn(managed, current, optionsOf(operation)))) throw currentBroken(id);
    }
    const { left } = await endLoginSessions(scopeOf(id, managed), user, false, optionsOf(operation));
    if (left.length > 0) throw inUse(user, left);
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
