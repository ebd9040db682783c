import { matches, type RepositorySettings } from '../../shared/config.ts';

/** What the settings say of a repository, in their order. Case makes no difference, as on GitHub. */
export function settingsOf(
  repository: string,
  settings: readonly RepositorySettings[],
): readonly RepositorySettings[] {
  return settings.filter((one) => matches(one.repository.toLowerCase(), repository.toLowerCase()));
}
