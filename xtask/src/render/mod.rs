//! What people see: plans, progress, results. Colour only where a terminal shows it.

pub mod findings;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod timeline;
pub mod timeline_svg;

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// How to paint. Plain styles where there is no terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Paint {
    /// What is made.
    pub add: Style,
    /// What is changed.
    pub change: Style,
    /// What is removed, and errors.
    pub remove: Style,
    /// What matters less.
    pub faint: Style,
    /// What matters more.
    pub strong: Style,
}

impl Paint {
    /// With colours.
    pub const fn coloured() -> Self {
        Self {
            add: AnsiColor::Green.on_default(),
            change: AnsiColor::Yellow.on_default(),
            remove: AnsiColor::Red.on_default(),
            faint: Style::new().dimmed(),
            strong: Style::new().bold(),
        }
    }

    /// Colours where the stream is a terminal and nobody has asked for none (`NO_COLOR`).
    pub fn for_stream(is_terminal: bool) -> Self {
        if is_terminal && !unwanted() { Self::coloured() } else { Self::default() }
    }

    /// Whether standard output shows colours.
    pub fn stdout_has_colours() -> bool {
        std::io::stdout().is_terminal() && !unwanted()
    }
}

fn unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
