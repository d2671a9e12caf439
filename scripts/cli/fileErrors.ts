import { TesseraError } from '../../protocol/errors.js';

const READ_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'this is a directory',
  EACCES: 'it may not be read (permission denied)',
  EPERM: 'it may not be read (permission denied)',
};

const WRITE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EEXIST: 'a part of its path is not a directory',
  EACCES: 'it may not be written (permission denied)',
  EPERM: 'it may not be written (permission denied)',
  EROFS: 'it lies on a read-only file system',
  ENOSPC: 'the disk is full',
};

/** A system error of reading `file` as a `file_error` that says why; errors of our own stay as they are. */
export function readFailure(error: unknown, file: string): TesseraError {
  return fileError(error, file, READ_REASONS);
}

/** A system error of writing `file`, likewise. */
export function writeFailure(error: unknown, file: string): TesseraError {
  return fileError(error, file, WRITE_REASONS);
}

function fileError(error: unknown, file: string, reasons: Readonly<Record<string, string>>): TesseraError {
  if (error instanceof TesseraError) return error;
  const { code = '', message, syscall } = error as NodeJS.ErrnoException;
  const isSystemError = reasons[code] !== undefined || syscall !== undefined;
  const reason = reasons[code] ?? message;
  return new TesseraError(isSystemError ? 'file_error' : 'internal', `${file}: ${reason}`, { cause: error });
}
