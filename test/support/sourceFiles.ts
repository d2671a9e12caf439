import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The top of the checkout, with a slash at the end. */
export const repositoryPath = fileURLToPath(new URL('../../../', import.meta.url));

/** The folders that hold code, other than tests. */
export const SOURCE_FOLDERS = ['protocol', 'codec', 'services', 'sdk', 'studio', 'scripts'] as const;

/** The TypeScript sources under `folder`, as sorted paths from the top of the checkout. */
export function sourceFiles(folder: string): string[] {
  if (!existsSync(repositoryPath + folder)) return [];
  return readdirSync(repositoryPath + folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `${folder}/${path}`)
    .sort();
}
