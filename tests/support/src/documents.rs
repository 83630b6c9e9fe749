//! The blocks of a page in Markdown, and the commands in them.

/// A block of code: its kind, and its lines without the indentation of the block.
pub struct Block {
    pub kind: String,
    pub lines: Vec<String>,
}

/// All blocks of code of a page, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut lines) = (Vec::new(), page.lines());
    while let Some(line) = lines.next() {
        let Some((indentation, kind)) = line.split_once("```").filter(|(before, _)| before.trim().is_empty()) else {
            continue;
        };
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        let inside = inside.map(|line| line.strip_prefix(indentation).unwrap_or(line).to_owned());
        blocks.push(Block { kind: kind.to_owned(), lines: inside.collect() });
    }
    blocks
}

impl Block {
    /// What a person types: each line after `$ `, with those that go on after a backslash or within quotes. The others are what is printed.
    pub fn commands(&self) -> Vec<String> {
        let (mut commands, mut goes_on) = (Vec::<String>::new(), false);
        for line in self.lines.iter().filter(|_| self.kind == "console") {
            match (line.strip_prefix("$ "), goes_on) {
                (_, true) => commands.last_mut().expect("one goes on").extend(["\n", line]),
                (Some(command), false) => commands.push(command.to_owned()),
                (None, false) => continue,
            }
            let whole = commands.last().expect("just pushed");
            goes_on = whole.ends_with('\\') || whole.matches('\'').count() % 2 == 1;
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_on_after_a_backslash_and_within_quotes() {
        let page = "text\n\n   ```console\n   $ a \\\n       b\n   said\n   $ c 'd\n       e'\n   said\n   ```\n```yaml\n$ no\n```\n";
        let commands: Vec<String> = blocks(page).iter().flat_map(Block::commands).collect();
        assert_eq!(commands, ["a \\\n    b", "c 'd\n    e'"]);
    }
}
