import { relative } from 'node:path';
import ts from 'typescript';

/** A method that callers can see. Of fields and accessors, name and type can be enough; the class comment covers constructors. */
const isPublicMethod = (member: ts.ClassElement): member is ts.MethodDeclaration =>
  ts.isMethodDeclaration(member) && !ts.isPrivateIdentifier(member.name);

/**
 * What the files at `paths` give away without a word on it, as `path:line name`: their exports, and the public methods
 * of exported classes. A method counts as documented where its interface or parent documents it.
 */
export function undocumentedExports(paths: readonly string[], relativeTo: string): string[] {
  const program = ts.createProgram(paths, {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const found = new Set<string>();

  const check = (symbol: ts.Symbol, name: string): void => {
    const declaration = symbol.declarations?.[0];
    if (declaration === undefined) return;
    const file = declaration.getSourceFile();
    if (!paths.includes(file.fileName)) return;
    // `@returns` or `@throws` alone can say all that there is to say.
    const words = [...symbol.getDocumentationComment(checker), ...symbol.getJsDocTags(checker)];
    if (words.length === 0) {
      const { line } = file.getLineAndCharacterOfPosition(declaration.getStart(file));
      found.add(`${relative(relativeTo, file.fileName)}:${line + 1} ${name}`);
    }
    if (ts.isClassDeclaration(declaration)) {
      for (const member of declaration.members.filter(isPublicMethod)) {
        const memberSymbol = checker.getSymbolAtLocation(member.name);
        if (memberSymbol !== undefined) check(memberSymbol, `${name}.${memberSymbol.name}`);
      }
    }
  };

  for (const path of paths) {
    const file = program.getSourceFile(path);
    const module = file && checker.getSymbolAtLocation(file);
    for (const symbol of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      check(isAlias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name);
    }
  }
  return [...found];
}
