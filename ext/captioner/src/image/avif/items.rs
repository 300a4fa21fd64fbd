//! The items of a file: the primary one, what it is made of, and its alpha plane.

use std::collections::HashMap;

use super::super::context::Context;
use super::super::limits::Failure;
use super::super::memory;
use super::boxes::{Kind, Reader};
use super::properties::{unsupported, Properties};
use super::{Coded, Source};

/// The least width and height of a tile (MIAF, 7.3.11.4.2), so that nobody has to decode thousands of specks.
const LEAST_TILE: u32 = 64;

/// Where an item's data lies.
#[derive(Default)]
struct Item {
    kind: Kind,
    /// In the item data box instead of the file.
    inside: bool,
    extents: Vec<(u64, u64)>,
    properties: Properties,
}

/// What a meta box says.
struct Items<'a> {
    file: &'a [u8],
    data: &'a [u8],
    primary: u32,
    items: HashMap<u32, Item>,
    /// Kind, from, to.
    references: Vec<(Kind, u32, u32)>,
}

/// The primary picture of a file with this meta box.
pub(super) fn source(file: &[u8], meta: Reader<'_>, context: &Context<'_>) -> Result<Source, Failure> {
    let items = Items::read(file, meta, context)?;
    let colour = items.coded(items.primary, context)?;
    let alphas = items.alphas()?;
    let alpha = match alphas.get(&items.primary) {
        Some(id) => Some(items.coded(*id, context)?),
        None => items.alpha_of_tiles(&alphas, &colour, context)?,
    };
    let primary = items.item(items.primary)?;
    let premultiplied = items.references.iter().any(|(kind, from, _)| kind == b"prem" && *from == items.primary);
    let orientation = primary.properties.orientation();
    Ok(Source { colour, alpha, premultiplied, description: primary.properties.colours, orientation })
}

impl<'a> Items<'a> {
    fn read(file: &'a [u8], mut meta: Reader<'a>, context: &Context<'_>) -> Result<Self, Failure> {
        meta.version()?;
        let mut items = Items { file, data: &[], primary: 0, items: HashMap::new(), references: Vec::new() };
        let mut properties = None;
        while let Some((kind, mut body)) = meta.next_box()? {
            match &kind {
                b"pitm" => {
                    let (version, _) = body.version()?;
                    items.primary = body.number(if version == 0 { 2 } else { 4 })? as u32;
                }
                b"iinf" => items.read_kinds(body)?,
                b"iloc" => items.read_places(body)?,
                b"iref" => items.read_references(body)?,
                b"iprp" => properties = Some(body),
                b"idat" => items.data = body.0,
                _ => {}
            }
        }
        if let Some(properties) = properties {
            items.read_properties(properties, context)?;
        }
        Ok(items)
    }

    fn read_kinds(&mut self, mut body: Reader<'a>) -> Result<(), Failure> {
        let (version, _) = body.version()?;
        body.number(if version == 0 { 2 } else { 4 })?;
        while let Some((kind, mut entry)) = body.next_box()? {
            let (version, _) = entry.version()?;
            if kind == *b"infe" && version >= 2 {
                let id = entry.number(if version == 2 { 2 } else { 4 })? as u32;
                entry.short()?;
                self.entry(id)?.kind = entry.kind()?;
            }
        }
        Ok(())
    }

    fn read_places(&mut self, mut body: Reader<'a>) -> Result<(), Failure> {
        let (version, _) = body.version()?;
        let (sizes, more) = (body.byte()?, body.byte()?);
        let (offset_size, length_size) = (usize::from(sizes >> 4), usize::from(sizes & 15));
        let (base_size, index_size) = (usize::from(more >> 4), if version == 0 { 0 } else { usize::from(more & 15) });
        if version > 2 || [offset_size, length_size, base_size, index_size].iter().any(|&size| size > 8) {
            return Err(Failure::unreadable("the places of its items are not plausible"));
        }
        let id_size = if version < 2 { 2 } else { 4 };
        for _ in 0..body.number(id_size)? {
            let id = body.number(id_size)? as u32;
            let method = if version == 0 { 0 } else { body.short()? & 15 };
            body.short()?;
            let base = body.number(base_size)?;
            let mut extents = Vec::new();
            for _ in 0..body.short()? {
                if offset_size + length_size + index_size == 0 {
                    // Each of them says nothing, so one says all.
                    extents = vec![(base, 0)];
                    break;
                }
                body.number(index_size)?;
                let (offset, length) = (body.number(offset_size)?, body.number(length_size)?);
                memory::push(&mut extents, (base.saturating_add(offset), length))?;
            }
            if method > 1 {
                continue;
            }
            let item = self.entry(id)?;
            (item.inside, item.extents) = (method == 1, extents);
        }
        Ok(())
    }

    fn read_references(&mut self, mut body: Reader<'a>) -> Result<(), Failure> {
        let id_size = if body.version()?.0 == 0 { 2 } else { 4 };
        while let Some((kind, mut entry)) = body.next_box()? {
            let from = entry.number(id_size)? as u32;
            for _ in 0..entry.short()? {
                memory::push(&mut self.references, (kind, from, entry.number(id_size)? as u32))?;
            }
        }
        Ok(())
    }

    fn read_properties(&mut self, mut body: Reader<'a>, context: &Context<'_>) -> Result<(), Failure> {
        let mut known = Vec::new();
        let mut all = body.find(b"ipco")?.unwrap_or(Reader(&[]));
        while let Some(property) = all.next_box()? {
            memory::push(&mut known, property)?;
        }
        while let Some((kind, mut entry)) = body.next_box()? {
            if kind != *b"ipma" {
                continue;
            }
            let (version, flags) = entry.version()?;
            for _ in 0..entry.long()? {
                context.go_on()?;
                let id = entry.number(if version == 0 { 2 } else { 4 })? as u32;
                for _ in 0..entry.byte()? {
                    let wide = flags & 1 != 0;
                    let value = entry.number(if wide { 2 } else { 1 })? as usize;
                    let top = if wide { 0x8000 } else { 0x80 };
                    let (essential, index) = (value & top != 0, value & (top - 1));
                    let property = index.checked_sub(1).and_then(|index| known.get(index));
                    if let (Some((kind, body)), Some(item)) = (property, self.items.get_mut(&id)) {
                        // Of items that are not shown it does not matter what is in them.
                        if [*b"av01", *b"grid"].contains(&item.kind) {
                            item.properties.add(kind, essential, *body)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// An item that is there from now on.
    fn entry(&mut self, id: u32) -> Result<&mut Item, Failure> {
        self.items.try_reserve(1).map_err(|_| memory::refused(self.items.len() * size_of::<Item>()))?;
        Ok(self.items.entry(id).or_default())
    }

    fn item(&self, id: u32) -> Result<&Item, Failure> {
        self.items.get(&id).ok_or_else(|| Failure::unreadable("an item is missing"))
    }

    /// All that an item refers to in one way.
    fn referred(&self, wanted: &'a Kind, id: u32) -> impl Iterator<Item = u32> + '_ {
        self.references.iter().filter(move |(kind, from, _)| kind == wanted && *from == id).map(|(_, _, to)| *to)
    }

    /// The alpha planes of all pictures, the first of each.
    fn alphas(&self) -> Result<HashMap<u32, u32>, Failure> {
        let mut alphas = HashMap::new();
        for (kind, from, to) in &self.references {
            if kind == b"auxl" && self.items.get(from).is_some_and(|item| item.properties.is_alpha) {
                alphas.try_reserve(1).map_err(|_| memory::refused(alphas.len() * 8))?;
                alphas.entry(*to).or_insert(*from);
            }
        }
        Ok(alphas)
    }

    /// A grid whose tiles have alpha planes instead of itself.
    fn alpha_of_tiles(
        &self,
        alphas: &HashMap<u32, u32>,
        colour: &Coded,
        context: &Context<'_>,
    ) -> Result<Option<Coded>, Failure> {
        if colour.across == 0 {
            return Ok(None);
        }
        let tiles: Option<Vec<u32>> =
            self.referred(b"dimg", self.primary).map(|tile| alphas.get(&tile).copied()).collect();
        match tiles {
            Some(tiles) => self.tiles(&tiles, colour.across, colour.size, context).map(Some),
            None => Ok(None),
        }
    }

    /// The data of an item.
    fn bytes(&self, item: &Item) -> Result<Vec<u8>, Failure> {
        let source = if item.inside { self.data } else { self.file };
        let mut bytes = Vec::new();
        for &(offset, length) in &item.extents {
            let rest = usize::try_from(offset).ok().and_then(|offset| source.get(offset..));
            let rest = rest.ok_or_else(Failure::truncated)?;
            // Nothing stands for all that there is.
            let length = if length == 0 { rest.len() } else { usize::try_from(length).unwrap_or(usize::MAX) };
            let part = rest.get(..length).ok_or_else(Failure::truncated)?;
            if bytes.len() + part.len() > source.len() {
                return Err(Failure::unreadable("the parts of an item overlap"));
            }
            memory::more(&mut bytes, part.len())?;
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// The AV1 data of a picture, whole or in tiles.
    fn coded(&self, id: u32, context: &Context<'_>) -> Result<Coded, Failure> {
        let item = self.item(id)?;
        if ![b"av01", b"grid"].contains(&&item.kind) {
            return Err(unsupported(&format!("a picture of the kind {}", item.kind.escape_ascii())));
        }
        let size = item.properties.size.ok_or_else(|| Failure::unreadable("a picture has no size"))?;
        context.check(size.0.into(), size.1.into())?;
        if item.kind == *b"av01" {
            let operating_point = item.properties.operating_point;
            return Ok(Coded { size, tile: size, across: 0, operating_point, data: vec![self.bytes(item)?] });
        }
        let bytes = self.bytes(item)?;
        let mut body = Reader(&bytes);
        let (_, flags) = (body.byte()?, body.byte()?);
        let (rows, columns) = (usize::from(body.byte()?) + 1, usize::from(body.byte()?) + 1);
        let bytes = if flags & 1 != 0 { 4 } else { 2 };
        let canvas = (body.number(bytes)? as u32, body.number(bytes)? as u32);
        let tiles: Vec<u32> = self.referred(b"dimg", id).collect();
        if canvas != size || tiles.len() != rows * columns {
            return Err(Failure::unreadable("its grid and its tiles do not fit together"));
        }
        self.tiles(&tiles, columns, size, context)
    }

    fn tiles(&self, ids: &[u32], across: usize, size: (u32, u32), context: &Context<'_>) -> Result<Coded, Failure> {
        let first = self.item(*ids.first().ok_or_else(|| Failure::unreadable("its grid has no tiles"))?)?;
        let tile = first.properties.size.ok_or_else(|| Failure::unreadable("a tile has no size"))?;
        let covers = |tile: u32, whole: u32, count: usize| {
            let (tile, whole, count) = (u64::from(tile), u64::from(whole), count as u64);
            count == 1 || (tile >= LEAST_TILE.into() && tile * count >= whole && tile * (count - 1) < whole)
        };
        context.check(tile.0.into(), tile.1.into())?;
        if !covers(tile.0, size.0, across) || !covers(tile.1, size.1, ids.len() / across) {
            return Err(Failure::unreadable("its grid and its tiles do not fit together"));
        }
        let (mut data, mut total) = (Vec::new(), 0usize);
        for id in ids {
            context.go_on()?;
            let item = self.item(*id)?;
            if item.kind != *b"av01" || item.properties.size != Some(tile) {
                return Err(Failure::unreadable("its tiles differ in kind or size"));
            }
            let bytes = self.bytes(item)?;
            total += bytes.len();
            if bytes.is_empty() {
                return Err(Failure::truncated());
            }
            if total > self.file.len() {
                return Err(Failure::unreadable("its tiles overlap"));
            }
            memory::push(&mut data, bytes)?;
        }
        Ok(Coded { size, tile, across, operating_point: first.properties.operating_point, data })
    }
}
