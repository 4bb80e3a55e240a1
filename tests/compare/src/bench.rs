//! The comparison: runs the workloads, and writes tables, results and plots.

use std::fs::{self, File};
use std::io::Write;

use clap::Parser;
use serde::Serialize;

use crate::cell::{Cell, measure};
use crate::instructions::Costs;
use crate::job::Workload;
use crate::machine::Machine;
use crate::options::Options;
use crate::run::Runner;
use crate::{Result, coming, guard, many, plan, plot, table, weight};

pub(crate) fn main() -> Result<()> {
    let options = Options::parse();
    let runner = Runner::new(options.server()?)?;
    let machine = Machine::here(&runner.server);
    if options.guard {
        return guard::check(&options, &runner);
    }
    fs::create_dir_all(&options.out)?;
    fs::write(
        options.out.join("machine.json"),
        serde_json::to_string_pretty(&machine)?,
    )?;
    let mut results = File::create(options.out.join("results.jsonl"))?;
    let peers = options.peers();
    println!("{machine}; medians over the rounds (lowest–highest)\n");
    for workload in options.workloads() {
        println!("## {}\n", table::heading(workload));
        if workload == Workload::W4 {
            let weights = weight::measure(&options, &runner);
            write_lines(&mut results, &weights)?;
            println!("{}", table::weights(&weights));
            if options.instructions {
                let costs = Costs::measure(&options, &runner);
                for line in costs.lines() {
                    writeln!(results, "{line}")?;
                }
                println!("{}", table::costs(&costs));
            }
            continue;
        }
        let rounds = options.rounds(workload);
        println!("{rounds} rounds\n");
        match workload {
            Workload::W8 => {
                let cells = coming::measure(&options, &runner);
                write_lines(&mut results, &cells)?;
                println!("{}", coming::table(&cells));
                continue;
            }
            Workload::W9 => {
                let cells = many::measure(&options, &runner);
                write_lines(&mut results, &cells)?;
                println!("{}", many::table(&cells));
                continue;
            }
            _ => {}
        }
        let mut cells = Vec::new();
        for setting in plan::settings(workload, &options) {
            let samples = measure(&setting, &peers, rounds, &runner);
            for cell in Cell::all(&setting, &samples) {
                writeln!(results, "{}", serde_json::to_string(&cell)?)?;
                cells.push(cell);
            }
        }
        println!("{}", table::cells(workload, &cells));
        for (name, drawing) in plot::plots(workload, &cells) {
            fs::write(options.out.join(name), drawing)?;
        }
    }
    eprintln!("results and plots are in {}", options.out.display());
    Ok(())
}

/// Writes a line of JSON for each result.
fn write_lines(results: &mut File, lines: &[impl Serialize]) -> Result<()> {
    for line in lines {
        writeln!(results, "{}", serde_json::to_string(line)?)?;
    }
    Ok(())
}
