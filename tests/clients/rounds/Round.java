// JavaMail: arguments host port mode user password
import com.sun.mail.imap.AppendUID;
import com.sun.mail.imap.IMAPFolder;
import com.sun.mail.imap.IMAPMessage;
import com.sun.mail.imap.IMAPStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import javax.mail.*;
import javax.mail.event.MessageCountAdapter;
import javax.mail.event.MessageCountEvent;
import javax.mail.internet.AddressException;
import javax.mail.internet.MimeMessage;
import javax.mail.search.*;

public class Round {
    static IMAPStore connect(Session session, String[] a) throws Exception {
        IMAPStore store = (IMAPStore) session.getStore(a[2].equals("tls") ? "imaps" : "imap");
        store.connect(a[0], Integer.parseInt(a[1]), a[3], a[4]);
        return store;
    }

    static void must(boolean good, String what) {
        if (!good) throw new RuntimeException(what);
    }

    static void walk(Part part) throws Exception {
        part.getFileName();
        part.getDisposition();
        part.getDescription();
        Object content = null;
        try {
            content = part.getContent();
        } catch (IOException error) {
            // a charset or an encoding that Java does not have
        }
        if (content instanceof Multipart) {
            Multipart parts = (Multipart) content;
            int count = parts.getCount();
            for (int i = 0; i < count; i++) walk(parts.getBodyPart(i));
        } else if (content instanceof Message) {
            walk((Part) content);
        }
    }

    static int readNasty(Store store) throws Exception {
        IMAPFolder folder = (IMAPFolder) store.getFolder("nasty");
        folder.open(Folder.READ_WRITE);
        Message[] messages = folder.getMessages();
        FetchProfile profile = new FetchProfile();
        for (FetchProfile.Item item : new FetchProfile.Item[] {FetchProfile.Item.ENVELOPE, FetchProfile.Item.CONTENT_INFO,
                FetchProfile.Item.FLAGS, FetchProfile.Item.SIZE, UIDFolder.FetchProfileItem.UID, IMAPFolder.FetchProfileItem.HEADERS})
            profile.add(item);
        profile.add("X-Long");
        folder.fetch(messages, profile);
        for (Message message : messages) {
            try {
                message.getSubject();
                message.getContentType();
                message.getFrom();
                message.getAllRecipients();
            } catch (AddressException error) {
                // the sender's fault
            }
            walk(message);
            message.writeTo(new ByteArrayOutputStream());
            InputStream octets = ((IMAPMessage) message).getMimeStream();
            int total = 0, got;
            byte[] piece = new byte[8192];
            while ((got = octets.read(piece)) > 0) total += got;
            must(total == message.getSize(), "size of " + message.getMessageNumber());
        }
        must(folder.search(new SubjectTerm("8bit ä")).length == 1, "search for an umlaut");
        must(folder.search(new OrTerm(new BodyTerm("part 7"), new FromStringTerm("in@"))).length >= 1, "search in bodies");
        must(folder.search(new SizeTerm(ComparisonTerm.GT, 500000)).length == 1, "search by size");
        folder.close(false);
        return messages.length;
    }

    static void work(Session session, Store store, String[] a) throws Exception {
        IMAPFolder folder = (IMAPFolder) store.getFolder("java " + a[2] + " ü&\"q\" \\");
        must(folder.create(Folder.HOLDS_MESSAGES) && folder.exists(), "create");
        MimeMessage message = new MimeMessage(session, new ByteArrayInputStream("Subject: j\r\n\r\nbody\r\n".getBytes()));
        message.setFlag(Flags.Flag.SEEN, true);
        message.setFlags(new Flags("$Label1"), true);
        AppendUID[] added = folder.appendUIDMessages(new Message[] {message, message, message});
        must(added[0].uid == 1 && added[2].uid == 3, "append");
        folder.open(Folder.READ_WRITE);
        folder.setFlags(folder.getMessages(), new Flags(Flags.Flag.FLAGGED), true);
        must(folder.getMessage(2).getFlags().contains("$Label1"), "keyword");
        IMAPFolder target = (IMAPFolder) store.getFolder("target");
        must(folder.copyUIDMessages(new Message[] {folder.getMessage(1)}, target)[0] != null, "copy");
        Message first = folder.getMessage(1);
        must(folder.moveUIDMessages(new Message[] {first}, target)[0] != null, "move");
        must(first.isExpunged() && folder.expunge().length == 1 && folder.getMessageCount() == 2, "moved");
        boolean[] told = {false};
        folder.addMessageCountListener(new MessageCountAdapter() {
            public void messagesAdded(MessageCountEvent event) {
                told[0] = true;
            }
        });
        IMAPStore other = connect(session, a);
        Thread adder = new Thread(() -> {
            try {
                other.getFolder(folder.getFullName()).appendMessages(new Message[] {message});
            } catch (MessagingException error) {
                throw new RuntimeException(error);
            }
        });
        adder.start();
        folder.idle(true);
        adder.join();
        must(told[0] || folder.getMessageCount() == 3, "idle");
        folder.setFlags(folder.getMessages(), new Flags(Flags.Flag.DELETED), true);
        must(folder.expunge().length == 3, "expunge");
        folder.close(true);
        must(folder.getFolder("sub").create(Folder.HOLDS_MESSAGES), "create below");
        Folder renamed = store.getFolder("java renamed " + a[2]);
        must(folder.renameTo(renamed) && renamed.list().length == 1 && renamed.delete(true), "rename and delete");
        other.close();
    }

    public static void main(String[] a) throws Exception {
        Properties properties = new Properties();
        for (String protocol : new String[] {"imap", "imaps"}) {
            properties.put("mail." + protocol + ".ssl.trust", "*");
            properties.put("mail." + protocol + ".ssl.checkserveridentity", "false");
        }
        properties.put("mail.imap.starttls.enable", String.valueOf(a[2].equals("starttls")));
        properties.put("mail.imap.starttls.required", String.valueOf(a[2].equals("starttls")));
        Session session = Session.getInstance(properties);
        IMAPStore store = connect(session, a);
        Folder[] folders = store.getDefaultFolder().list("*");
        for (Folder folder : folders)
            if ((folder.getType() & Folder.HOLDS_MESSAGES) != 0) folder.getMessageCount();
        int messages = readNasty(store);
        work(session, store, a);
        store.close();
        System.out.println("folders " + folders.length + " messages " + messages);
    }
}
